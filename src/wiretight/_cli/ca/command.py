"""`ca`: a CA, and the certificates of a server and a client, for tests."""

import argparse
import shlex
import textwrap

from wiretight._cli.arguments import whole_number
from wiretight._cli.ca import folder as files
from wiretight._cli.ca import issuer as issuing
from wiretight._cli.ca.folder import Folder
from wiretight._cli.ca.issuer import Issuer, Made
from wiretight._cli.errors import CommandError, UsageError
from wiretight._cli.terminal import print_facts, print_json

_NAMES = ("localhost", "127.0.0.1", "::1")
_CLIENT = "client"
_DAYS = 365


def add_arguments(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    command = commands.add_parser(
        "ca",
        help="make a CA, a server's and a client's certificate for tests",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=textwrap.dedent(f"""\
            Makes a CA for tests in the folder DIR, and with it the certificates of a server
            and a client:

              {files.CA:<12}the CA's certificate, to be trusted by both
              {files.CA_KEY:<12}the CA's private key, which renews them
              {files.SERVER:<12}the server's private key and certificate
              {files.CLIENT:<12}the client's private key and certificate

            A key and its certificate are one file, so that renewing them is one rename:
            whoever reads the file gets the old pair or the new one. Keys are not encrypted,
            and readable by you alone. Nothing is overwritten that was not made by this
            command, nor a CA, unless --force is given."""),
        epilog=textwrap.dedent("""\
            examples:
              wiretight ca certs
              wiretight ca certs --name api.test --name 192.0.2.1 --client alice
              wiretight ca certs --renew        other certificates of the same CA

            then, for example:
              wiretight serve --cert certs/server.pem
              wiretight connect localhost:8443 --cafile certs/ca.pem"""),
    )
    command.add_argument("folder", metavar="DIR", help="where the files are written; it is created")
    command.add_argument(
        "--name", action="append", metavar="NAME", help=f"of the server, may be repeated (default {', '.join(_NAMES)})"
    )
    command.add_argument("--client", metavar="NAME", help=f"of the client (default {_CLIENT})")
    command.add_argument(
        "--days",
        type=whole_number(1, issuing.CA_DAYS, "number of days"),
        metavar="N",
        help=f"how long they are valid (default {_DAYS})",
    )
    command.add_argument("--key-type", choices=issuing.KEY_TYPES, default="ec", help="kind of all keys (default ec)")
    command.add_argument("--renew", action="store_true", help="other certificates of the CA that is there")
    command.add_argument("--force", action="store_true", help="overwrite files whoever made them, and the CA")
    command.add_argument("--json", action="store_true", help="print it as JSON")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    if options.renew and options.force:
        raise UsageError("--renew and --force exclude each other: --force makes another CA")
    if not options.folder:
        raise UsageError("'' is no folder: write . for the current one")
    issuing.check_installed()
    issuing.check_names(options.name or ())
    issuing.check_client(_CLIENT if options.client is None else options.client)
    folder = Folder(options.folder)
    with folder.locked():
        issuer = _renewed(folder) if options.renew else _fresh(folder, options)
        names, client = _wanted(folder, options)
        days = options.days or _DAYS
        made = {
            files.SERVER: issuer.issue_server(names, options.key_type, days),
            files.CLIENT: issuer.issue_client(client, options.key_type, days),
        }
        contents = {name: each.key_pem + each.pem for name, each in made.items()}
        if not options.renew:
            contents = {files.CA: issuer.made.pem, files.CA_KEY: issuer.made.key_pem, **contents}
        folder.write(contents)
    made = {files.CA: issuer.made, **made}
    if options.json:
        print_json({"folder": str(folder.path), **{name.removesuffix(".pem"): _as_dict(folder, name, each)
                                                  for name, each in made.items()}})  # fmt: skip
    else:
        _print(folder, made)
    return 0


def _fresh(folder: Folder, options: argparse.Namespace) -> Issuer:
    """Another CA, where there is none."""
    if not options.force:
        there = [name for name in files.FILES if folder.read(name) is not None]
        if there:
            where = shlex.quote(options.folder)
            raise CommandError(
                f"{folder.path} has {', '.join(there)} already: `wiretight ca {where} --renew` renews the certificates"
                " of a CA that this command has made, and --force overwrites everything"
            )
    return Issuer.new(options.key_type)


def _renewed(folder: Folder) -> Issuer:
    """The CA that is there, if all files that will be replaced are its own."""
    certificate, key = folder.read(files.CA), folder.read(files.CA_KEY)
    if certificate is None or key is None:
        missing = files.CA if certificate is None else files.CA_KEY
        raise CommandError(f"{folder.path} has no {missing}, and there is nothing to renew: leave out --renew")
    try:
        issuer = Issuer.from_pem(certificate, key)
    except (ValueError, TypeError) as error:  # TypeError: it is encrypted
        raise CommandError(
            f"{folder.file(files.CA)} and {files.CA_KEY} are no CA that this command has made"
        ) from error
    if issuer.has_expired:
        raise CommandError(f"the CA in {folder.path} has expired: --force makes another one")
    for name in (files.SERVER, files.CLIENT):
        there = folder.read(name)
        if there is not None and not issuer.has_issued(there):
            raise CommandError(f"{folder.file(name)} was not made by this command: move it away, or give --force")
    return issuer


def _wanted(folder: Folder, options: argparse.Namespace) -> tuple[list[str], str]:
    """The server's and the client's names: those of the options, or of the certificates that are renewed."""
    names, client = options.name, options.client
    if options.renew:
        server_file, client_file = folder.read(files.SERVER), folder.read(files.CLIENT)
        names = names or (issuing.names_of(server_file)[1] if server_file else None)
        client = client or (issuing.names_of(client_file)[0] if client_file else None)
    return list(dict.fromkeys(names or _NAMES)), client or _CLIENT


# --- What was made ----------------------------------------------------------------------------------------------------


def _as_dict(folder: Folder, name: str, made: Made) -> dict[str, object]:
    common, alternatives = issuing.names_of(made.pem)
    return {
        "file": folder.file(name),
        "key_file": folder.file(files.CA_KEY if name == files.CA else name),
        "common_name": common,
        "names": alternatives,
        "not_after": issuing.not_after(made.certificate).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def _print(folder: Folder, made: dict[str, Made]) -> None:
    facts = []
    for name, each in made.items():
        common, alternatives = issuing.names_of(each.pem)
        until = issuing.not_after(each.certificate).strftime("%Y-%m-%d")
        facts.append((name, f"until {until}, for {', '.join(alternatives) or common}"))
    facts.append((files.CA_KEY, "do not give it away: it signs whatever its holder likes"))
    print_facts(str(folder.path), facts)
    names = issuing.names_of(made[files.SERVER].pem)[1]
    quoted = {name: shlex.quote(folder.file(name)) for name in made}
    print()
    host = names[0].replace("*", "www")
    host = f"'[{host}]'" if ":" in host else host
    print_facts(
        "to try them",
        [
            ("serve", f"wiretight serve --cert {quoted[files.SERVER]}"),
            ("connect", f"wiretight connect {host}:8443 --cafile {quoted[files.CA]}"),
            ("look", f"wiretight cert {quoted[files.SERVER]} --cafile {quoted[files.CA]}"),
        ],
    )
