"""The NIST curves of ECDSA keys: just enough to tell whether a point lies on one.

Source: FIPS 186-5 and SP 800-186; each is y^2 = x^3 - 3x + b modulo p. sshd refuses a point off
its curve, so that a key with one would be a line that lets nobody in.
"""

from __future__ import annotations

from msglog.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Curve:
    """A curve over a prime field.

    name: as SSH calls it. prime, b: the parameters. size: the bytes of a coordinate.
    """

    name: str
    prime: int
    b: int
    size: int

    def contains(self, x: int, y: int) -> bool:
        """Tell whether the affine point (x, y) lies on the curve."""
        p = self.prime
        return x < p and y < p and (y * y - (x * x * x - 3 * x + self.b)) % p == 0


CURVES = (
    Curve(
        "nistp256",
        2**256 - 2**224 + 2**192 + 2**96 - 1,
        0x5AC635D8_AA3A93E7_B3EBBD55_769886BC_651D06B0_CC53B0F6_3BCE3C3E_27D2604B,
        32,
    ),
    Curve(
        "nistp384",
        2**384 - 2**128 - 2**96 + 2**32 - 1,
        0xB3312FA7_E23EE7E4_988E056B_E3F82D19_181D9C6E_FE814112_0314088F_5013875A_C656398D_8A2ED19D_2A85C8ED_D3EC2AEF,
        48,
    ),
    Curve(
        "nistp521",
        2**521 - 1,
        0x0051_953EB961_8E1C9A1F_929A21A0_B68540EE_A2DA725B_99B315F3_B8B48991_8EF109E1_56193951_EC7E937B_1652C0BD_3BB1BF07_3573DF88_3D2C34F1_EF451FD4_6B503F00,
        66,
    ),
)
"""nistp256, nistp384, nistp521."""
