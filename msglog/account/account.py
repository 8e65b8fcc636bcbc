"""A server account: its users, their keys and what they may do, and where its repositories are."""

from __future__ import annotations

import os

from msglog.account.access import Access, Grant, check_pattern, is_pattern, sorted_grants
from msglog.account.database import Database
from msglog.account.name import (
    InvalidRepositoryError,
    check_repository_name,
    check_user_name,
    is_fingerprint,
    is_repository_name,
    is_user_name,
)
from msglog.account.record import (
    EVERYBODY,
    KeyTakenError,
    LastAdminError,
    UnknownGrantError,
    UnknownKeyError,
    UnknownRepositoryError,
    UnknownUserError,
    User,
    UserExistsError,
    UserGrant,
    UserKey,
)
from msglog.account.role import Role
from msglog.annotation import TYPE_CHECKING
from msglog.errors import LocalError, NotAuthorisedError
from msglog.layout import STORE_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from os import PathLike
    from pathlib import Path

    from msglog.account.finding import Finding
    from msglog.account.publickey import PublicKey
    from msglog.account.tables import Row, Tables
    from msglog.repository import Repository

DEFAULT_FOLDER = ".msglog-server"
"""Where an account is when nobody says otherwise, in the home of its UNIX account."""

DATABASE_NAME = "account.db"
ADDRESS_NAME = "account.address"
"""In the place of all else where an account is in PostgreSQL: its connection string."""

REPOSITORIES_NAME = "repositories"
DEFAULT_REPOSITORY = "main"

_FOLDER_MODE = 0o700
_USER = (str, str, int)
_KEY = (str, str, bytes, str, int, str)

# What is asked of the tables for each request of a session; one question does not need another.
_ROLE_OF = "SELECT role FROM users WHERE name = ?"
_HAS_KEY = (
    'SELECT 1 FROM keys WHERE fingerprint = ? AND "user" = (SELECT id FROM users WHERE name = ?)'
)
_GRANTS_TO = (
    'SELECT pattern, role, CASE WHEN "user" IS NULL THEN 0 ELSE 1 END FROM grants'
    " WHERE repository = ?"
    ' AND ("user" IS NULL OR "user" = (SELECT id FROM users WHERE name = ?))'
)


class NotEmptyError(LocalError):
    """A folder that was to become an account has something else in it."""


class Account:
    """An open account. folder: where it lies. file_name: by which a folder is seen to be one."""

    file_name = DATABASE_NAME

    def __init__(self, database: Tables, folder: str) -> None:
        self._database = database
        self.folder = folder
        self._answered: tuple[Access, int, bool] | None = None

    @property
    def path(self) -> Path:
        """The folder as a path."""
        from pathlib import Path  # noqa: PLC0415 - a session does without it, and starts sooner

        return Path(self.folder)

    @classmethod
    def create(cls, path: Path, *, suffix: str) -> Account:
        """Make an account without users in the folder path, readable by its owner alone.

        suffix: some random text, for a file name that nobody else uses meanwhile. A folder that
        is there must hold nothing but what a cut-off run left, since it is closed to others;
        raises NotEmptyError and AccountError.
        """
        from msglog.folder import make  # noqa: PLC0415 - only for this

        make(path, mode=_FOLDER_MODE)
        if not all(_is_left_over(entry.name) for entry in path.iterdir()):
            raise NotEmptyError(
                f"{path} cannot become a server account",
                why="there is something else in it",
                hint="Name an empty folder, or one that is not there.",
            )
        path.chmod(_FOLDER_MODE)
        make(path / REPOSITORIES_NAME, mode=_FOLDER_MODE)
        return cls(Database.create(path / DATABASE_NAME, suffix=suffix), str(path))

    @classmethod
    def open(cls, folder: str | PathLike[str], *, alone: bool = False) -> Account:
        """Open the account in a folder; makes nothing. Raises AccountError and its kin.

        alone: this process is short, and nothing else of it uses psycopg; see `lean_psycopg`.
        """
        path = os.path.join(folder, DATABASE_NAME)
        if not os.path.exists(path) and os.path.exists(os.path.join(folder, ADDRESS_NAME)):
            from msglog.postgres_driver import import_driver  # noqa: PLC0415 - only for this

            import_driver(alone=alone)
            from msglog.account.postgres_account import PostgresAccount  # noqa: PLC0415 - costly

            return PostgresAccount.open_folder(os.fspath(folder))
        return cls(Database.open(path), os.fspath(folder))

    @property
    def where(self) -> str:
        """What people call the place of its tables."""
        return os.path.join(self.folder, DATABASE_NAME)

    @property
    def database(self) -> Tables:
        """Its tables, for what is kept there beside users, keys and grants."""
        return self._database

    def check_server(self, environment: Mapping[str, str]) -> list[Finding]:  # noqa: ARG002 - see PostgresAccount
        """Return what is wrong with the server that keeps the tables, if there is one.

        environment: of whoever asks, for what sessions would not have.
        """
        return []

    def close(self) -> None:
        """Close the account."""
        self._database.close()

    # Users

    def users(self) -> list[User]:
        """Return the users by name."""
        sql = "SELECT name, role, created FROM users ORDER BY name"
        return list(map(self._as_user, self._database.rows(sql, _USER)))

    def user(self, name: str) -> User:
        """Return one user; raises UnknownUserError, which has looked at all."""
        found = self.find_user(name)
        if found is None:
            raise UnknownUserError(name, [user.name for user in self.users()])
        return found

    def find_user(self, name: str) -> User | None:
        """Return one user, if there is such a one."""
        if not is_user_name(name):
            return None
        sql = "SELECT name, role, created FROM users WHERE name = ?"
        rows = self._database.rows(sql, _USER, name)
        return self._as_user(rows[0]) if rows else None

    def add_user(self, name: str, role: Role, *, time: int) -> User:
        """Make a user, without keys; raises InvalidUserError or UserExistsError."""
        check_user_name(name)
        added = self._database.execute(
            "INSERT INTO users (name, role, created) VALUES (?, ?, ?)"
            " ON CONFLICT (name) DO NOTHING",
            name,
            role.value,
            time,
        )
        if not added:
            raise UserExistsError(
                f"there is a user {name!r} already",
                hint=f"`msglog admin user set-role {name} ROLE` changes what they may do.",
            )
        return User(name, role, time)

    def remove_user(self, name: str) -> list[UserKey]:
        """Remove a user with all keys and grants; return the keys.

        Raises UnknownUserError or LastAdminError.
        """

        def remove() -> list[UserKey]:
            user = self.user(name)
            self._keep_an_admin(user, Role.NONE)
            keys = self.keys_of(name)
            self._database.execute("DELETE FROM users WHERE name = ?", name)
            return keys

        return self._database.together(remove)

    def set_role(self, name: str, role: Role) -> Role:
        """Give a user another role and return the old one; raises UnknownUserError, LastAdminError.

        It holds for every log that no grant is about.
        """

        def change() -> Role:
            user = self.user(name)
            self._keep_an_admin(user, role)
            self._database.execute("UPDATE users SET role = ? WHERE name = ?", role.value, name)
            return user.role

        return self._database.together(change)

    def rename_user(self, name: str, new: str) -> None:
        """Give a user another name; raises UnknownUserError, InvalidUserError, UserExistsError.

        Messages keep the author that they were written with.
        """
        check_user_name(new)

        def rename() -> None:
            self.user(name)
            if self._database.select("SELECT 1 FROM users WHERE name = ?", new):
                raise UserExistsError(f"there is a user {new!r} already")
            self._database.execute("UPDATE users SET name = ? WHERE name = ?", new, name)

        self._database.together(rename)

    def _as_user(self, row: Row) -> User:
        name, role, created = row
        return User(self._as_name(name), self._as_role(role), created)

    def _as_name(self, name: str) -> str:
        if not is_user_name(name):
            raise self._database.damaged("the name of a user cannot be one")
        return name

    def _as_role(self, role: str) -> Role:
        try:
            return Role(role)
        except ValueError:
            raise self._database.damaged("a role is none that there is") from None

    def _keep_an_admin(self, user: User, role: Role) -> None:
        if user.role is not Role.ADMIN or role is Role.ADMIN:
            return
        sql = "SELECT count(*) FROM users WHERE role = ?"
        (count,) = self._database.select(sql, Role.ADMIN.value)[0]
        if count == 1:
            raise LastAdminError(
                f"{user.name} is the last administrator",
                hint="Make somebody else one first: `msglog admin user set-role NAME admin`.",
            )

    # Keys

    def keys_of(self, user: str | None = None) -> list[UserKey]:
        """Return the keys of one user, or of all, by user and then by when they were added."""
        if user is not None and not is_user_name(user):
            return []
        rows = self._database.rows(
            "SELECT u.name, k.type, k.blob, k.comment, k.added, k.fingerprint FROM keys k"
            ' JOIN users u ON u.id = k."user" WHERE CAST(?1 AS TEXT) IS NULL OR u.name = ?1'
            " ORDER BY u.name, k.added, k.fingerprint",
            _KEY,
            user,
        )
        return list(map(self._as_key, rows))

    def key(self, fingerprint: str) -> UserKey | None:
        """Return the key of a fingerprint, or None for one that nobody has: one look-up."""
        if not is_fingerprint(fingerprint):
            return None
        rows = self._database.rows(
            "SELECT u.name, k.type, k.blob, k.comment, k.added, k.fingerprint FROM keys k"
            ' JOIN users u ON u.id = k."user" WHERE k.fingerprint = ?',
            _KEY,
            fingerprint,
        )
        return next(map(self._as_key, rows), None)

    def _as_key(self, row: Row) -> UserKey:
        name, kind, blob, comment, added, fingerprint = row
        from msglog.account.publickey import PublicKey  # noqa: PLC0415 - not for a session

        key = PublicKey(kind, blob, comment)
        if key.fingerprint != fingerprint or not key.is_one_line:
            raise self._database.damaged("a key is not the one that was put in")
        return UserKey(self._as_name(name), key, added)

    def add_keys(self, user: str, keys: Sequence[PublicKey], *, time: int) -> list[bool]:
        """Give a user keys, all or none; return for each whether it is new to the account.

        Raises UnknownUserError, and KeyTakenError for the key of somebody else.
        """

        def add() -> list[bool]:
            self.user(user)
            return [self._add_key(user, key, time) for key in keys]

        return self._database.together(add)

    def _add_key(self, user: str, key: PublicKey, time: int) -> bool:
        owner = self._owner(key.fingerprint)
        if owner is not None and owner != user:
            raise KeyTakenError(
                f"the key {key.fingerprint} cannot be added",
                why=f"it belongs to {owner}",
                hint="Every user needs a key of their own.",
            )
        self._database.execute(
            'INSERT INTO keys (fingerprint, "user", type, blob, comment, added)'
            " SELECT ?, id, ?, ?, ?, ? FROM users WHERE name = ?"
            " ON CONFLICT (fingerprint) DO NOTHING",
            key.fingerprint,
            key.type,
            key.blob,
            key.comment,
            time,
            user,
        )
        return owner is None

    def remove_key(self, user: str, fingerprint: str) -> None:
        """Take a key from a user; raises UnknownUserError or UnknownKeyError."""
        self._database.together(lambda: self._remove_key(user, fingerprint))

    def _remove_key(self, user: str, fingerprint: str) -> None:
        self.user(user)
        if not is_fingerprint(fingerprint) or self._owner(fingerprint) != user:
            raise UnknownKeyError(
                f"{user} has no key {fingerprint[:80]!r}",
                hint=f"`msglog admin key list {user}` shows all.",
            )
        self._database.execute("DELETE FROM keys WHERE fingerprint = ?", fingerprint)

    def replace_key(self, user: str, old: str, keys: Sequence[PublicKey], *, time: int) -> None:
        """Give a user keys in place of the one with the fingerprint old: all that or nothing.

        Raises UnknownUserError, UnknownKeyError, KeyTakenError.
        """

        def replace() -> None:
            self._remove_key(user, old)
            for key in keys:
                self._add_key(user, key, time)

        self._database.together(replace)

    def _owner(self, fingerprint: str) -> str | None:
        rows = self._database.rows(
            'SELECT u.name FROM keys k JOIN users u ON u.id = k."user" WHERE k.fingerprint = ?',
            (str,),
            fingerprint,
        )
        return self._as_name(rows[0][0]) if rows else None

    # Grants

    def grants(self, user: str | None = None) -> list[UserGrant]:
        """Return the grants to one user (EVERYBODY: those to every user), or all that there are."""
        rows = self._database.rows(
            "SELECT coalesce(u.name, ?1), g.repository, g.pattern, g.role FROM grants g"
            ' LEFT JOIN users u ON u.id = g."user"'
            " WHERE CAST(?2 AS TEXT) IS NULL OR coalesce(u.name, ?1) = ?2 ORDER BY 1, 2, 3",
            (str, str, str, str),
            EVERYBODY,
            user,
        )
        return list(map(self._as_grant, rows))

    def _as_grant(self, row: Row) -> UserGrant:
        name, repository, pattern, role = row
        if not (is_repository_name(repository) and is_pattern(pattern)):
            raise self._database.damaged("a grant is for what cannot be granted")
        who = name if name == EVERYBODY else self._as_name(name)
        return UserGrant(who, repository, pattern, self._as_role(role))

    def grant(self, grant: UserGrant) -> None:
        """Make a grant, in place of one to the same user for the same pattern.

        Raises UnknownUserError, InvalidRepositoryError and InvalidPatternError.
        """
        check_repository_name(grant.repository)
        check_pattern(grant.pattern)

        def make() -> None:
            if grant.user != EVERYBODY:
                self.user(grant.user)
            self._delete_grant(grant.user, grant.repository, grant.pattern)
            self._database.execute(
                'INSERT INTO grants ("user", repository, pattern, role)'
                " VALUES ((SELECT id FROM users WHERE name = ?), ?, ?, ?)",
                grant.user,
                grant.repository,
                grant.pattern,
                grant.role.value,
            )

        self._database.together(make)

    def revoke(self, user: str, repository: str, pattern: str) -> Role:
        """Take a grant back and return its role; raises UnknownUserError or UnknownGrantError."""
        check_repository_name(repository)
        check_pattern(pattern)

        def take() -> Role | None:
            if user != EVERYBODY:
                self.user(user)
            for grant in self.grants(user):
                if (grant.repository, grant.pattern) == (repository, pattern):
                    self._delete_grant(user, repository, pattern)
                    return grant.role
            return None

        role = self._database.together(take)
        if role is not None:
            return role
        raise UnknownGrantError(
            f"there is no grant to {user} for {pattern!r} in {repository}",
            hint=""
            if user == EVERYBODY
            else f"`msglog admin user show {user}` shows those that there are.",
        )

    def _delete_grant(self, user: str, repository: str, pattern: str) -> None:
        self._database.execute(
            "DELETE FROM grants WHERE repository = ? AND pattern = ?"
            ' AND coalesce("user", 0) = coalesce((SELECT id FROM users WHERE name = ?), 0)',
            repository,
            pattern,
            user,
        )

    # What receive-pack asks

    def access(self, user: str, fingerprint: str | None, repository: str) -> Access:
        """Return what a user who came with a key may do in a repository, if it is anything.

        fingerprint: None where no key was named, so that none is looked at. Raises one and the
        same NotAuthorisedError for an unknown or removed user, for one without any right here,
        and for a key that is unknown, removed or another's, after the same look-ups.
        """
        access = self._look_up(user, fingerprint, repository)
        if access is None or access.is_empty:
            raise NotAuthorisedError(
                "not authorised",
                why="this account gives this user nothing here",
                hint="Ask the administrator of the server.",
            )
        return access

    def still_valid(self, access: Access) -> bool:
        """Tell whether an access that was given would be given again, just as it is.

        Cheap enough for every request and batch: where nothing was changed, one number is compared.
        """
        version = self._database.version()
        if self._answered is not None and self._answered[:2] == (access, version):
            return self._answered[2]
        now = self._look_up(access.user, access.fingerprint, access.repository)
        self._answered = (access, version, now == access)
        return now == access

    def _look_up(self, user: str, fingerprint: str | None, repository: str) -> Access | None:
        # What cannot be a name is looked up all the same, as a name that nobody has.
        name = user if is_user_name(user) else ""
        key = "" if fingerprint is None else fingerprint
        if not is_fingerprint(key):
            key = ""
        place = repository if is_repository_name(repository) else ""
        users, keys, grants = self._database.at_once(
            (_ROLE_OF, (str,), (name,)),
            (_HAS_KEY, (int,), (key, name)),
            (_GRANTS_TO, (str, str, int), (place, name)),
        )
        if not users or not place or (fingerprint is not None and not keys):
            return None
        given = [Grant(pattern, self._as_role(role), bool(own)) for pattern, role, own in grants]
        if not all(is_pattern(grant.pattern) for grant in given):
            raise self._database.damaged("a grant is for what cannot be granted")
        own_role = self._as_role(users[0][0])
        return Access(user, fingerprint, place, own_role, sorted_grants(given))

    # Repositories

    def repository_path(self, name: str) -> Path:
        """Return where a repository is or would be; raises InvalidRepositoryError."""
        from pathlib import Path  # noqa: PLC0415 - as above

        return Path(self._repository_folder(name))

    def existing_repository(self, name: str) -> str:
        """Return where a repository is; raises UnknownRepositoryError, InvalidRepositoryError."""
        folder = self._repository_folder(name)
        if not os.path.isdir(folder):
            raise UnknownRepositoryError(name)
        return folder

    def repository_place(self, name: str) -> str:
        """Return what people call the place of a repository."""
        return self._repository_folder(name)

    def has_repository(self, name: str) -> bool:
        """Tell whether there is a repository of that name; raises InvalidRepositoryError."""
        return os.path.exists(os.path.join(self._repository_folder(name), STORE_NAME))

    def open_repository(self, name: str) -> Repository:
        """Open a repository; raises UnknownRepositoryError, InvalidRepositoryError, StoreError."""
        from msglog.repository import Repository  # noqa: PLC0415 - not for every command

        return Repository.open(self.existing_repository(name))

    def create_repository(self, name: str, *, identity: bytes, time: int) -> None:
        """Make a repository; raises StoreError and InvalidRepositoryError."""
        from msglog.repository import Repository  # noqa: PLC0415 - not for every command

        Repository.create(self._repository_folder(name), identity=identity, time=time).close()

    def repository_names(self) -> list[str]:
        """Return the names of the repositories, sorted; symbolic links are not followed."""
        root = self.path / REPOSITORIES_NAME
        found: list[str] = []
        folders = [root]
        while folders:
            for path in folders.pop().iterdir():
                name = path.relative_to(root).as_posix()
                if path.is_symlink() or not path.is_dir() or not is_repository_name(name):
                    continue
                folders.append(path)
                if (path / STORE_NAME).is_file():
                    found.append(name)
        return sorted(found)

    def _repository_folder(self, name: str) -> str:
        """Return the folder of a repository; no symbolic link leads out of the account's own."""
        check_repository_name(name)
        root = os.path.realpath(os.path.join(self.folder, REPOSITORIES_NAME))
        folder = os.path.realpath(os.path.join(root, name))
        if folder.startswith(root + os.sep) and not os.path.islink(folder):  # not in a circle
            return folder
        raise InvalidRepositoryError(
            f"the repository {name!r} cannot be used", why="it lies outside of the account"
        )


def _is_left_over(name: str) -> bool:
    return name == REPOSITORIES_NAME or name.startswith(DATABASE_NAME)
