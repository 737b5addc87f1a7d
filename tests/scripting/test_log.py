"""Logs and warnings go to the standard error, without secrets."""

from __future__ import annotations

import logging
import warnings

import pytest

from cbmcube.scripting import RedactingFormatter, logged
from cbmcube.warnings import CbmcubeWarning


def test_the_log_is_written_while_it_is_asked_for(capsys):
    logger = logging.getLogger("cbmcube.somewhere")
    with logged("info", command="run", secrets=["swordfish"]):
        logger.info("GET %s with %s", "https://me:pw@h/a?sig=1", "swordfish")
        logger.debug("not this")
    logger.warning("nor this")
    with logged(None, command="run"):
        logger.error("nor that")
    said = capsys.readouterr().err
    assert "INFO cbmcube.somewhere: GET https://h/a with ***" in said
    assert "not this" not in said
    assert "nor" not in said
    assert logging.getLogger("cbmcube").level == logging.NOTSET


def test_a_traceback_has_no_secrets_either():
    error = OSError("https://h/a?sig=canary failed")
    record = logging.LogRecord("a", 40, "", 0, "x", (), (OSError, error, None))
    assert "canary" not in RedactingFormatter("%(message)s").format(record)
    assert "OSError: https://h/a failed" in RedactingFormatter("%(message)s").format(record)


@pytest.mark.filterwarnings("always")
def test_warnings_are_one_line_without_source(capsys):
    before = warnings.showwarning
    with logged(None, command="plan", secrets=["swordfish"]):
        warnings.warn("mind the swordfish", CbmcubeWarning, stacklevel=1)
    assert capsys.readouterr().err == "cbmcube plan: CbmcubeWarning: mind the ***\n"
    assert warnings.showwarning is before
