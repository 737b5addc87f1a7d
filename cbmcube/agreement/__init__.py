"""Two sources of the same acquisitions compared."""

from cbmcube.agreement._compare import compare
from cbmcube.agreement._result import Agreement, BandAgreement
from cbmcube.agreement._rule import KINDS, AgreementRule
from cbmcube.agreement._states import STATES

__all__ = ["KINDS", "STATES", "Agreement", "AgreementRule", "BandAgreement", "compare"]
