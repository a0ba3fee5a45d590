"""The tools, one module each; tools/NAME starts rig.commands.NAME."""
