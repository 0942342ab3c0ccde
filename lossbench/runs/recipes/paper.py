"""Paper: the recipe whose SPEC names the loss."""

from ...specs import RecipeSpec

SPEC = RecipeSpec(
    title="Paper",
    summary="what the paper of the loss or its released code trains with, where there is a recipe of it",
    by_loss=True,
)
