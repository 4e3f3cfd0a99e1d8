from baskets import total


def test_without_a_discount_the_total_is_the_sum():
    assert total([250, 750]) == 1000


def test_a_discount_makes_it_cheaper():
    assert total([250, 750], discount=10) == 900
