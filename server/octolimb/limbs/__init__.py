"""Limbs: the reflex loop and its coders. A limb has no function that writes to the user's tree."""
