"""Work on arable land: harvest, ploughing, and catch crops."""

from cbmcube.markers.arable._catch_crop import CATCH_CROP_PRESETS, catch_crop
from cbmcube.markers.arable._catch_crop_weeks import CatchCropRule
from cbmcube.markers.arable._harvest import HARVEST_PRESETS, harvest
from cbmcube.markers.arable._harvest_weeks import HarvestRule
from cbmcube.markers.arable._ploughing import PLOUGHING_PRESETS, PloughingRule, ploughing

__all__ = [
    "CATCH_CROP_PRESETS",
    "HARVEST_PRESETS",
    "PLOUGHING_PRESETS",
    "CatchCropRule",
    "HarvestRule",
    "PloughingRule",
    "catch_crop",
    "harvest",
    "ploughing",
]
