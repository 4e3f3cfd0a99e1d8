"""Limbs: the reflex loop and the coders that it generates with. A limb has no function that writes to the user's tree."""
