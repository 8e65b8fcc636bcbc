PRAGMA page_size = 4096;
PRAGMA auto_vacuum = 0;
PRAGMA application_id = 1835822945;
PRAGMA user_version = 2;
BEGIN TRANSACTION;
CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT, time INTEGER NOT NULL, user TEXT NOT NULL,
    key TEXT NOT NULL, address TEXT NOT NULL, repository TEXT NOT NULL, operation TEXT NOT NULL,
    log TEXT NOT NULL, messages INTEGER NOT NULL, size INTEGER NOT NULL, refused INTEGER NOT NULL,
    result TEXT NOT NULL, detail TEXT NOT NULL, session TEXT NOT NULL,
    checksum INTEGER NOT NULL DEFAULT 0
);
INSERT INTO "audit" VALUES(1,1600000000000003,'ann','SHA256:key','','','push','',0,0,0,'ok','','',29683639218769985);
CREATE TABLE grants (
    id INTEGER PRIMARY KEY, user INTEGER REFERENCES users ON DELETE CASCADE,
    repository TEXT NOT NULL, pattern TEXT NOT NULL, role TEXT NOT NULL
);
INSERT INTO "grants" VALUES(1,2,'main','team/*','write');
CREATE TABLE keys (
    fingerprint TEXT PRIMARY KEY, user INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
    type TEXT NOT NULL, blob BLOB NOT NULL, comment TEXT NOT NULL, added INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO "keys" VALUES('SHA256:UXfVzf4/c2Sfy6tFrI7XWpPA4l+q3Gl5agGH66nWMtA',1,'ssh-ed25519',X'0000000B7373682D6564323535313900000020B148FE274AF85BC9809E2DB311B61A5B729058FAFCBC4F990F43E566F0AEB6DD','ann@lab',1600000000000002);
CREATE TABLE policies (
    repository TEXT NOT NULL, pattern TEXT NOT NULL, name TEXT NOT NULL, value INTEGER NOT NULL,
    PRIMARY KEY (repository, pattern, name)
) WITHOUT ROWID;
INSERT INTO "policies" VALUES('main','*','max-message-bytes',1000);
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE users (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, role TEXT NOT NULL, created INTEGER NOT NULL
);
INSERT INTO "users" VALUES(1,'ann','admin',1600000000000000);
INSERT INTO "users" VALUES(2,'ben','read',1600000000000001);
CREATE INDEX keys_of_user ON keys (user);
CREATE UNIQUE INDEX grants_in_repository ON grants (repository, ifnull(user, 0), pattern);
CREATE INDEX grants_of_user ON grants (user);
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit is only ever added to'); END;
CREATE TRIGGER audit_keeps_its_end BEFORE DELETE ON audit
WHEN old.id > (SELECT max(id) FROM audit) - 100
BEGIN SELECT RAISE(ABORT, 'the audit is only ever added to'); END;
CREATE INDEX users_values ON users (name, role, created);
CREATE INDEX keys_values ON keys (user, type, blob, comment, added);
CREATE INDEX grants_values ON grants (user, repository, pattern, role);
CREATE INDEX settings_values ON settings (name, value);
CREATE INDEX policies_values ON policies (repository, pattern, name, value);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('audit',1);
COMMIT;
