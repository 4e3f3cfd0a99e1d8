"""Policies, judging and applying: what may leave the shadow, and how it reaches the disk. No model, limb or sensor."""
