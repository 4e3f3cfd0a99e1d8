"""Every JSON document that crosses our doors, as pydantic models, and the encoding of our values into them.

It computes nothing: values in, documents out. The schemas that `octolimb schema` prints are made from these models.
"""
