"""A question to whoever sits at the terminal, and the answer."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING

if TYPE_CHECKING:
    from plumbing.context import Context

_ANSWER_LIMIT = 4096


def ask(context: Context, question: str) -> str:
    """Return the line that is typed, without its end; what follows begins on a line of its own.

    question: is safe to show. Where nobody types a line to its end, ours has to be ended for them:
    at the end of a file, where it was piped in, and at Ctrl-C.
    """
    context.stderr.write(question.encode("utf-8", "replace"))
    context.stderr.flush()
    answer = b""
    try:
        answer = context.stdin.readline(_ANSWER_LIMIT)
    finally:
        if not (context.stdin_terminal and answer.endswith(b"\n")):
            context.stderr.write(b"\n")
            context.stderr.flush()
    return answer.decode("utf-8", "surrogateescape").rstrip("\r\n")
