"""Default: the defaults of all options."""

from ...specs import RecipeSpec

SPEC = RecipeSpec(title="Default", summary="the default of each option")
