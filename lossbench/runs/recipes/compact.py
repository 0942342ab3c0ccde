"""Compact: twice the network under AdamW, half again as many epochs, no shifts."""

from ...specs import RecipeSpec

SPEC = RecipeSpec(
    title="Compact",
    summary="`compact` under AdamW, images as they are: as accurate, three times the time",
    options={"network": "compact", "optimizer": "adamw", "augment": "none"},
    epoch_share=1.5,
)
