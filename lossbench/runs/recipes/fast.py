"""Fast: the default of every option."""

from ...specs import RecipeSpec

SPEC = RecipeSpec(title="Fast", summary="the default of each option: `stride3` under Muon, shifted images")
