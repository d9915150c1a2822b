"""Mutants of the outbox and of what takes it to the database."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

MUTANTS = (
    Mutant(
        "archived-any-finish",
        "scheduler/store/lua/archived.lua",
        "if finish and tonumber(finish) == tonumber(ARGV[at + 1]) then",
        "if finish then",
        "a message leaves the outbox whichever finish was archived",
        "a message that was redriven while its batch was written is missing in the history",
        ("tests/lua/test_outbox.py",),
    ),
    Mutant(
        "redrive-forgets-a-finish",
        "scheduler/store/lua/_parting.lua",
        "if finish then",
        "if finish == 1 then",
        "a redrive leaves no copy of what is not archived",
        "a dead letter that was redriven at once is missing in the history",
        ("tests/lua/test_outbox.py",),
    ),
    Mutant(
        "trim-before-the-history",
        "scheduler/store/lua/trim.lua",
        "if unarchived then",
        "if unarchived == 1 then",
        "retention does not wait for the history",
        "messages that ended while the database was away are missing in the history",
        ("tests/lua/test_outbox.py",),
    ),
    Mutant(
        "dropped-uncounted",
        "scheduler/store/lua/_outbox.lua",
        "redis.call('HINCRBY', meta, 'outbox_dropped', dropped)",
        "",
        "what is dropped from a full outbox is not counted",
        "nobody learns that messages are missing in the history",
        ("tests/lua/test_outbox.py",),
    ),
    Mutant(
        "archived-before-written",
        "scheduler/history/archiver.py",
        "                self._archive(batch)\n"
        "                self._store.archived(partition, self._owner, batch.messages)\n",
        "                self._store.archived(partition, self._owner, batch.messages)\n"
        "                self._archive(batch)\n",
        "messages leave the outbox before the database has them",
        "a kill or a database that is away loses a batch",
        ("tests/unit/history/test_archiver.py",),
    ),
    Mutant(
        "secrets-in-the-history",
        "scheduler/history/finished.py",
        "target=kept.target if kept else message.target,",
        "target=message.target,",
        "targets are written as they are",
        "passwords and tokens of webhooks lie in the database for a year",
        ("tests/unit/history/test_archiver.py",),
    ),
    Mutant(
        "formula-in-a-cell",
        "scheduler/api/v1/history_export.py",
        'return f"\'{value}" if value.startswith(_FORMULA) else value',
        "return value",
        "a cell may begin like a formula",
        "a payload runs in the spreadsheet of whoever opens the export",
        ("tests/unit/api/test_api_history.py",),
    ),
    Mutant(
        "export-without-a-pause",
        "scheduler/api/front/application.py",
        "                await _pause(gone, pause)\n",
        "",
        "an export does not pause while messages are delivered",
        "deliveries are half as late again for as long as somebody exports the history",
        ("tests/unit/api/test_front_streams.py",),
    ),
    Mutant(
        "redrive-makes-two",
        "scheduler/api/v1/again.py",
        "return await send_again(x, row, once)",
        'return await send_again(x, row, Idempotency(None, ""))',
        "a redrive from the history has no key",
        "a redrive that is sent again because its answer was lost sends the message twice",
        ("tests/unit/api/test_api_redrive.py",),
    ),
    Mutant(
        "redrive-of-what-was-delivered",
        "scheduler/api/v1/again.py",
        "if row.status != Status.DEAD:",
        "if row.status == Status.CANCELLED:",
        "what was delivered is redriven once retention has deleted it",
        "a list of ids that is redriven as a whole sends again what had arrived",
        ("tests/unit/api/test_api_redrive.py",),
    ),
)
