"""Where the numbers come from: versions, recipe, mask, pixel rule, hashes."""

from __future__ import annotations

import hashlib
import json
from collections import Counter

from cbmcube._version import __version__
from cbmcube.observations import Observations
from cbmcube.products import list_products


def provenance(obs: Observations) -> dict[str, str]:
    """Return what somebody needs who wants the same numbers again; no address but the store's."""
    snapshot, recipe = obs.snapshot, obs.recipe
    plan = json.loads(obs.store.get_blob("plans", snapshot.plan))
    facts = {
        "store": obs.store.url,
        "snapshot": f"{snapshot.number}, published {snapshot.created}",
        "root hash": snapshot.root,
        "plan": snapshot.plan,
        "item list": f"{item_hash(plan)} (SHA-256)",
        "recipe": f"{obs.store.recipe_hash} (SHA-256)",
        "product": str(recipe.get("product", "?")),
        "bands": ", ".join(map(str, recipe.get("bands", ()))),
        "statistics": ", ".join(map(str, recipe.get("statistics", ()))),
        "mask": _mask(obs),
        "pixel rule": str(recipe.get("pixels", "?")),
        "buffer": _metres(recipe.get("buffer")),
        "percentiles": str(recipe.get("percentiles", "?")),
        "radiometric offset": "as each item states it"
        if recipe.get("offset") is None
        else str(recipe["offset"]),
        "parcels in": str(recipe.get("parcel_crs", "?")),
        "files checked": str(plan.get("verify", "none")),
        "engine": str(recipe.get("engine", "?")),
    }
    for number, (versions, units) in enumerate(_versions(obs).most_common()):
        facts["computed with" if not number else f"computed with ({number + 1})"] = (
            f"{versions}; {units:,} units"
        )
    return facts | {"page written by": f"cbmcube {__version__}"}


def item_hash(plan: dict[str, object]) -> str:
    """Return a hash of all items of a plan as they describe themselves, without signatures."""
    names = sorted(str(one["items"]) for one in plan["acquisitions"])  # type: ignore[attr-defined]
    return hashlib.sha256("\n".join(names).encode()).hexdigest()


def _metres(buffer: object) -> str:
    return "none, or that of each parcel" if buffer is None else f"{buffer} m"


def _mask(obs: Observations) -> str:
    known = {one.name: one for one in list_products()}.get(obs.recipe.get("product", ""))
    rule = known.mask_rule if known else None
    if not obs.recipe.get("mask"):
        return "none"
    if rule is None:
        return "that of the product"
    return f"{rule.band} in {{{', '.join(map(str, sorted(rule.masked)))}}} ({rule.source})"


def _versions(obs: Observations) -> Counter[str]:
    """Count units by the versions that computed them."""
    found: Counter[str] = Counter()
    for chunk in obs.snapshot.parts["info"].chunks:
        for text in chunk:
            told = json.loads(text.as_py() or "{}").get("versions", {})
            found[", ".join(f"{name} {version}" for name, version in told.items()) or "?"] += 1
    return found
