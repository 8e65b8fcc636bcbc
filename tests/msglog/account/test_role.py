"""The table of roles, cell by cell."""

import pytest

from msglog.account.role import Capability, Role, UnknownRoleError, parse_role

TABLE = {
    #              list   fetch  append administer
    Role.NONE: (False, False, False, False),
    Role.APPEND: (False, False, True, False),
    Role.READ: (True, True, False, False),
    Role.WRITE: (True, True, True, False),
    Role.ADMIN: (True, True, True, True),
}
ORDER = (Capability.LIST, Capability.FETCH, Capability.APPEND, Capability.ADMINISTER)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("capability", Capability)
def test_each_cell(role: Role, capability: Capability) -> None:
    assert (capability in role.capabilities) is TABLE[role][ORDER.index(capability)]


def test_the_table_is_whole() -> None:
    assert set(TABLE) == set(Role)
    assert set(ORDER) == set(Capability)


@pytest.mark.parametrize("role", Role)
def test_names_are_read_back(role: Role) -> None:
    assert parse_role(role.value) is role


@pytest.mark.parametrize("name", ["", "Admin", "write ", "write\n", "root", "NONE", "x" * 300])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(UnknownRoleError, match="there is no role"):
        parse_role(name)
