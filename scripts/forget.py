"""Erases a person's rows from every data set and says what must be made again (LGPD art. 18, VI).

Run as: make forget SUBJECT=<hash>            the hash as rows carry it
        make forget SUBJECT=<cpf> SALT=<salt> the value that the hash was made of, with its salt
        python -m scripts.forget --subject <hash>
"""

import re
from collections.abc import Sequence

from scripts import arguments
from scripts.data import lineage
from scripts.data.imports import subject
from scripts.errors import UserError, main_of
from scripts.paths import shown


def main(argv: Sequence[str]) -> int | None:
    parser = arguments.parser(__doc__)
    arguments.add(parser, "SUBJECT", "hash of the person, or with SALT what it was made of")
    arguments.add(parser, "SALT", "the salt of the import")
    options = parser.parse_args(argv)
    who = subject(options.subject, options.salt) if options.salt and options.subject else options.subject
    if not re.fullmatch(r"[0-9a-f]{16,64}", who):
        raise UserError(
            "SUBJECT is no hash", next="make forget SUBJECT=<hash>, or SUBJECT=<cpf> SALT=<the import's salt>"
        )
    gone = {file: lineage.forget(file, who) for file in lineage.row_files()}
    touched = {file for file, rows in gone.items() if rows}
    for file in sorted(touched):
        print(f"{shown(file)}: {gone[file]} rows erased")
    if not touched:
        print("no row of this subject in any data set")
    stale = list(lineage.stale_runs(touched))
    for each in stale:
        print(f"{shown(each.run)}: must be made again, its {each.changed} has changed")
    for command in dict.fromkeys(each.again for each in stale):
        print(f"next: {command}")


if __name__ == "__main__":
    main_of(main)
