"""Scripted reanalysis: a run described by one file, the commands that do it, and Argo."""

from cbmcube.scripting._actions import plan_job, run_job
from cbmcube.scripting._argo import Pods, argo_workflow
from cbmcube.scripting._command import add_commands, parser
from cbmcube.scripting._example import write_example
from cbmcube.scripting._exit import (
    Cancelled,
    ExitStatus,
    cancellable,
    error_status,
    signal_status,
)
from cbmcube.scripting._job import Job, list_keys, read_job
from cbmcube.scripting._left import stop_job_clusters
from cbmcube.scripting._log import LEVELS, RedactingFormatter, logged
from cbmcube.scripting._secrets import redact, secret_values

__all__ = [
    "LEVELS",
    "Cancelled",
    "ExitStatus",
    "Job",
    "Pods",
    "RedactingFormatter",
    "add_commands",
    "argo_workflow",
    "cancellable",
    "error_status",
    "list_keys",
    "logged",
    "parser",
    "plan_job",
    "read_job",
    "redact",
    "run_job",
    "secret_values",
    "signal_status",
    "stop_job_clusters",
    "write_example",
]
