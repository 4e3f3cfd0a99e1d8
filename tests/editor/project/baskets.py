"""A shop's basket: prices in cents."""


def total(prices, discount=0):
    """The sum of the prices, less the discount in per cent."""
    return sum(prices) * (100 + discount) // 100
