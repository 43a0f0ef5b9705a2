"""`proa completion`: the script a shell evaluates; commands, flags, kinds, objects and workloads complete."""

import click


@click.command("completion", short_help="Print the completion script of a shell.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script of a shell.

    \b
    Examples:
      proa completion bash >> ~/.bashrc
      proa completion zsh >> ~/.zshrc
      proa completion fish > ~/.config/fish/completions/proa.fish
    """
    from click.shell_completion import get_completion_class

    from proa.cli.main import cli

    found = get_completion_class(shell)
    assert found is not None, "click knows the shells of the choice"
    script = found(cli, {}, "proa", "_PROA_COMPLETE")
    # Not source(): for bash it runs bash to look at its version, and there may be none here.
    click.echo(script.source_template % script.source_vars())
