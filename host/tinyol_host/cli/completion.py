"""`tinyol completion`: prints what a shell needs to complete this command line."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

_COMPLETE_VARIABLE = "_TINYOL_COMPLETE"
# bash takes a colon for the end of a word; then nothing behind `-d sim:` would be completed.
_WHOLE_URIS = "COMP_WORDBREAKS=${COMP_WORDBREAKS//:}\n"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that completes commands, options, URIs and settings in SHELL.

    \b
    For this shell only:
      bash  source <(tinyol completion bash)
      zsh   source <(tinyol completion zsh)
      fish  tinyol completion fish | source
    For good:
      bash  tinyol completion bash > ~/.local/share/bash-completion/completions/tinyol
      zsh   tinyol completion zsh > "${fpath[1]}/_tinyol"
      fish  tinyol completion fish > ~/.config/fish/completions/tinyol.fish
    """
    found = get_completion_class(shell)
    assert found is not None
    root = context.find_root()
    click.echo(found(root.command, {}, "tinyol", _COMPLETE_VARIABLE).source())
    if shell == "bash":
        click.echo(_WHOLE_URIS, nl=False)
