#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Parses reStructuredText and prints what docutils warns of; rst.py FILE...

Sphinx and the kernel's extensions of it are not needed: of their directives that
the documents have, only the files that they name are checked.
"""
import os
import sys

from docutils.core import publish_doctree
from docutils.parsers.rst import Directive, directives


class Sources(Directive):
    """A directive about files: in its argument below the top, or one a line beside it"""

    has_content = True
    optional_arguments = 1
    final_argument_whitespace = True
    option_spec = {"alt": directives.unchanged, "export": directives.flag,
                   "hidden": directives.flag, "maxdepth": directives.positive_int}

    def run(self):
        here = os.path.dirname(self.state.document.current_source)
        files = {
            "kernel-doc": lambda: self.arguments,
            "kernel-figure": lambda: [os.path.join(here, self.arguments[0])],
            "toctree": lambda: [os.path.join(here, f"{line}.rst") for line in self.content if line],
        }[self.name]()
        return [self.state_machine.reporter.warning(f"{self.name}: there is no {name}",
                                                    line=self.lineno)
                for name in files if not os.path.exists(name)]


for directive in "kernel-doc", "kernel-figure", "toctree":
    directives.register_directive(directive, Sources)

for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as source:
        publish_doctree(source.read(), source_path=path,
                        settings_overrides={"report_level": 2, "halt_level": 5, "warning_stream": sys.stdout,
                                            "smart_quotes": False, "file_insertion_enabled": False})
