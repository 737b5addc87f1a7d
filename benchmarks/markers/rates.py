"""The rates that planted seasons are drawn from, each with its source.

A pair of numbers is a range that is drawn from evenly. What has no source says "assumed".
"""

from __future__ import annotations

from dataclasses import dataclass

Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Sky:
    """What Sentinel-2 sees, and what it takes for ground."""

    revisit_days: float = 5.0
    """Days between passes: 5 with two satellites, 10 with one (ESA, mission guide)."""
    lost: float = 0.5
    """Share of observations that are masked as cloud; assumed, for a rainy part of Europe. What is
    lost where: Sudmanns et al. 2020, doi 10.1080/17538947.2019.1572799."""
    missed: float = 0.0
    """Share of the others that are cloud or shadow all the same, 3 % in hard scenarios; assumed.
    How masks differ: Skakun et al. 2022 (CMIX), doi 10.1016/j.rse.2022.112990."""
    dip: Range = (0.1, 0.5)
    """How much too low NDVI is under a cloud or shadow that was missed; assumed."""
    noise: Range = (0.01, 0.02)
    """Standard deviation of a parcel's NDVI from date to date, one for each parcel; assumed after
    the 0.01 that Sentinel-2 reaches over stable ground."""
    memory_days: float = 3.0
    """Time after which the correlation of cloud is down to 1/e; assumed."""
    reach_km: float = 40.0
    """Distance over which neighbouring parcels share their clouds; assumed."""
    shares: tuple[float, float, float] = (0.4, 0.4, 0.2)
    """How much of cloud is that of the region, of the neighbourhood and of the parcel; assumed."""
    regions: int = 20
    """Regions whose weather has nothing to do with each other's; assumed."""


@dataclass(frozen=True, slots=True)
class Meadow:
    """What grass does, and what is done to it."""

    cuts: tuple[float, ...] = (0.2, 0.25, 0.25, 0.2, 0.1)
    """Shares of parcels with 0, 1, 2, 3 and 4 cuts; assumed, so that every class is frequent."""
    first_day: Range = (125.0, 185.0)
    """Day of the year of the first cut, May to early July; assumed."""
    between_days: Range = (35.0, 75.0)
    """Days from one cut to the next: five to ten weeks; assumed."""
    last_day: float = 280.0
    """Day of the year after which nobody mows; assumed."""
    drop: Range = (0.25, 0.45)
    """Loss of NDVI by a cut; assumed around the 0.35 that simulations of mowing take."""
    floor: float = 0.25
    """NDVI of stubble, below which no cut goes; assumed."""
    recovery: Range = (0.006, 0.012)
    """Rise of NDVI a day after a cut: back in four to ten weeks; assumed."""
    level: Range = (0.75, 0.90)
    """NDVI of tall grass in early summer; assumed."""
    winter: Range = (0.40, 0.60)
    """NDVI on the first of March; assumed."""
    green_up: Range = (85.0, 110.0)
    """Day of the year on which half of the rise of spring is done; assumed."""
    drought: Range = (0.0, 0.10)
    """Slow loss of NDVI in high summer that is no cut, gone after two months; assumed."""
    autumn: Range = (0.0, 0.15)
    """Slow loss of NDVI from September to the end of October; assumed."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """What coherence of pairs of Sentinel-1 images does over grass."""

    orbits: int = 2
    """Relative orbits, each a series of its own."""
    pair_days: float = 6.0
    """Days between the images of a pair: 6 with two satellites, 12 with one."""
    base: Range = (0.25, 0.35)
    """Coherence of tall grass; at 20 looks an estimate of 0 is 0.20 already, and of short grass and
    of tall grass some 0.3 to 0.4 (Tamm et al. 2016, doi 10.3390/rs8100802)."""
    jump: Range = (0.10, 0.30)
    """Rise of coherence right after a cut. Tamm et al. 2016 and Voormansik et al. 2020 (doi
    10.3390/rs12223784) find rises; these sizes are assumed."""
    wears_off_days: Range = (14.0, 21.0)
    """Days after a cut until the rise is gone, in a straight line. Two to three weeks; Tamm et al.
    2016 saw traces after 24 to 36 days."""
    cut_dip: Range = (0.0, 0.10)
    """How much lower the pair is that the cut falls into; assumed."""
    noise: Range = (0.03, 0.05)
    """Standard deviation of a parcel's coherence from pair to pair: the first for parcels of 400
    pixels, the second for those of 16; assumed, above what looks alone make."""
    rain: float = 0.25
    """Share of pairs with rain in between, common to all parcels; assumed. That rain lowers
    coherence: Tamm et al. 2016."""
    rain_loss: Range = (0.10, 0.30)
    """Share of coherence that such a rain takes from every parcel; assumed."""
    weather: float = 0.01
    """Standard deviation of what else all parcels of a pair share; assumed."""
    short_spring: Range = (0.0, 0.08)
    """How much higher coherence is in March, before grass grows, gone by June; assumed."""
    missing: float = 0.03
    """Share of images that do not exist; each takes two pairs with it; assumed."""


@dataclass(frozen=True, slots=True)
class Field:
    """What is done to arable land."""

    maize: float = 0.4
    """Share of maize cut green; the others are winter cereals, which ripen first; assumed."""
    standing: float = 0.2
    """Share of fields that are not harvested at all in the season; assumed."""
    cereal_day: Range = (196.0, 227.0)
    """Day of the year of the harvest of cereals; assumed."""
    maize_day: Range = (250.0, 275.0)
    """Day of the year of the harvest of maize; assumed."""
    ripe_days: Range = (10.0, 25.0)
    """Days before the harvest on which half of the ripening of cereals is done; assumed."""
    crop_ndvi: Range = (0.75, 0.90)
    """NDVI of the standing green crop; assumed."""
    straw_ndvi: Range = (0.28, 0.42)
    """NDVI of ripe cereals; assumed."""
    soil_ndvi: Range = (0.15, 0.25)
    """NDVI of stubble and soil; assumed."""
    sown: float = 0.6
    """Share of harvested cereals that are followed by a catch crop; assumed."""
    sowing_days: Range = (7.0, 21.0)
    """Days from the harvest to the sowing of the catch crop; assumed."""
    catch_ndvi: Range = (0.5, 0.75)
    """NDVI of a catch crop five weeks after sowing; assumed."""
    catch_lost: float = 0.5
    """Share of catch crops that are lost before their eight weeks are over; assumed."""
    lost_days: Range = (10.0, 45.0)
    """Days after the begin of the period on which a lost one is lost; assumed."""
    ploughing_days: Range = (10.0, 60.0)
    """Days from harvest to ploughing where no catch crop is sown; assumed."""
    stubble_bare: Range = (0.05, 0.50)
    """Share of pixels of stubble that are taken for bare soil; assumed."""
    tilled_bare: Range = (0.80, 1.00)
    """The same after ploughing or sowing; assumed."""
    bare_noise: float = 0.05
    """Standard deviation of this share from date to date; a missed cloud has none; assumed."""
    ratio: Range = (4.5, 6.0)
    """VV - VH in dB over a standing crop; assumed."""
    ratio_rise: Range = (1.0, 3.0)
    """Rise of VV - VH in dB when the field is emptied, around the 2 dB of published examples."""
    canopy: Range = (0.20, 0.32)
    """Coherence of VV over a standing crop; assumed, near the bias of some 10 looks."""
    bare: Range = (0.55, 0.80)
    """Coherence of VV over stubble and soil at rest; assumed around Sen4CAP's limit of 0.75."""
    settles_days: float = 12.0
    """Days after ploughing or sowing until the soil is at rest; assumed."""
    looks: float = 4.4
    """Looks of a pixel of backscatter: those of Sentinel-1 IW GRD (ESA, product definition)."""
    own: float = 0.5
    """Share of the pixels of a parcel that count as independent; assumed."""
    rain_db: Range = (0.3, 1.2)
    """Rise of VV and VH in dB by rain on a date, common to all parcels; assumed."""
    rain: float = 0.25
    """Share of dates with rain; assumed."""
    drift_db: float = 0.3
    """Standard deviation in dB of VV - VH of a parcel from date to date beyond speckle; assumed."""


SCENARIOS: dict[str, Sky] = {
    "5 days, clear": Sky(lost=0.0),
    "5 days, half lost": Sky(),
    "5 days, half lost, 3 % missed": Sky(missed=0.03),
    "10 days, half lost": Sky(revisit_days=10.0),
    "10 days, half lost, 3 % missed": Sky(revisit_days=10.0, missed=0.03),
}
"""What markers are measured under; the third is the one with a target."""

TARGET = "5 days, half lost, 3 % missed"
