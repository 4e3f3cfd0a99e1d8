"""Wires workspace, shadow, senses, limbs and guard together. Every front calls it; it knows no front."""
