"""The fewest of an ordered list that will do, with few trials. Runs nothing itself."""

from typing import Callable, Optional


def fewest(most: int, fits: Callable[[int], bool], guess: int) -> Optional[int]:
    """The least k from 1 to `most` for which `fits(k)`, if more always fit better; None where not even `most` fits.

    Where they do not, a k that fits and whose predecessor does not. Steps away from `guess` in growing strides, then
    halves the gap: each number is tried once at most, and two trials are enough for a perfect guess.
    """
    guess = min(max(guess, 1), most)
    stride = 1
    if fits(guess):
        low, high = 0, guess  # 0 is known not to fit
        while high - stride > low:
            if not fits(high - stride):
                low = high - stride
                break
            high -= stride
            stride *= 2
    else:
        low = guess
        while True:
            if low == most:
                return None
            high = min(low + stride, most)
            if fits(high):
                break
            low = high
            stride *= 2
    while high - low > 1:
        middle = (low + high) // 2
        if fits(middle):
            high = middle
        else:
            low = middle
    return high
