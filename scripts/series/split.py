#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""split.py SERIES QUEUE PICKED SOURCE OWN OUT: writes what each patch of a series leaves.

SERIES has the descriptions, whose format series/README.md explains, QUEUE the patches that
make SOURCE the composed tree, of which PICKED lists those that fit, and OWN the new files,
which stand below the current directory. Writes for the Nth patch OUT/N.message, and
below OUT/N each file that it changes, as the patch leaves it.
"""
import fnmatch
import itertools
import os
import re
import subprocess
import sys
import tempfile


def die(message):
    sys.exit(f'error: {message}')


def read(path):
    with open(path, encoding='utf-8', errors='surrogateescape', newline='') as file:
        return file.read()


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'w', encoding='utf-8', errors='surrogateescape', newline='') as file:
        file.write(text)


def parse_diff(text):
    """Yields (file, hunk) of a unified diff"""
    file = hunk = None
    for line in text.splitlines(keepends=True):
        if line.startswith(('diff ', '--- a/', 'index ')):
            if hunk:
                yield file, hunk
            hunk = None
        elif line.startswith('+++ b/') and not hunk:
            file = line[6:].split('\t')[0].rstrip('\n')
        elif line.startswith('@@ '):
            if hunk:
                yield file, hunk
            hunk = line
        elif hunk:
            hunk += line
    if hunk:
        yield file, hunk


def patched(file, text, hunks, where):
    """TEXT of FILE with the hunks, which must fit without fuzz"""
    if not hunks:
        return text
    with tempfile.TemporaryDirectory() as work:
        path = f'{work}/file'
        write(path, text)
        diff = f'--- a/{file}\n+++ b/{file}\n' + ''.join(hunks)
        done = subprocess.run(['patch', '-f', '-s', '--fuzz=0', '--no-backup-if-mismatch', path],
                              input=diff.encode('utf-8', 'surrogateescape'),
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if done.returncode:
            die(f'{where}: {file}: {done.stdout.decode()}')
        return read(path)


def message(header):
    """A commit message of a patch's header: no sender, and no list of files"""
    lines = [line for line in header.splitlines() if not re.match('(From|New-file): ', line)]
    text = re.sub(r'^Subject: (\[PATCH\] )?', '', '\n'.join(lines).strip())
    return re.sub(r'\n\n\n+', '\n\n', text) + '\n'


class Queue:
    """The hunks of the queue, in its order, and which patch of the series has which"""

    def __init__(self, directory, picked):
        self.hunks = []
        self.messages = {}
        for name in read(picked).split():
            text = read(f'{directory}/{name}')
            number = name.split('-')[0]
            if number in self.messages:
                die(f'two patches of {directory} have the number {number}')
            self.messages[number] = text.split('\n---\n')[0]
            for file, hunk in parse_diff(text):
                self.hunks.append({'queue': number, 'file': file, 'hunk': hunk, 'owner': None})
        if not self.hunks:
            die(f'{directory} is empty')

    def claim(self, number, file, text, owner, where):
        """Hunks of a queue patch, of FILE, with TEXT in a line that changes; or the rest"""
        matching = [h for h in self.hunks if h['queue'] == number and file in (None, h['file'])
                    and (text is None or any(text in line for line in h['hunk'].splitlines()[1:]
                                             if line[:1] in '+-'))]
        if file is None:
            matching = [h for h in matching if h['owner'] is None]
        if not matching:
            die(f'{where}: the queue has no such hunk')
        for hunk in matching:
            if hunk['owner'] not in (None, owner):
                die(f'{where}: another patch has this already:\n{hunk["hunk"]}')
            hunk['owner'] = owner

    def files(self):
        return sorted({h['file'] for h in self.hunks})

    def of(self, file, patch):
        """The hunks of FILE up to a patch of the series, by patch of the queue"""
        hunks = [h for h in self.hunks if h['file'] == file and h['owner'] <= patch]
        return [(number, [h['hunk'] for h in of]) for number, of in
                itertools.groupby(hunks, key=lambda h: h['queue'])]


def definitions(text):
    """The parts of a C file between blank lines outside of braces and comments"""
    parts, lines, depth, comment = [], [], 0, False
    for line in text.splitlines(keepends=True):
        lines.append(line)
        code = re.sub(r'"(\\.|[^"\\])*"|\'(\\.|[^\'\\])*\'', '""', line)
        code = re.sub(r'/\*.*?\*/|//.*', '', code)
        if comment:
            _, comment, code = code.partition('*/')
            comment = not comment
        if '/*' in code:
            code, comment = code.split('/*')[0], True
        depth += code.count('{') - code.count('}')
        if not line.strip() and not depth and not comment:
            parts.append(''.join(lines))
            lines = []
    if lines:
        parts.append(''.join(lines))
    return parts


def heads(part):
    """What a definition is called by: its code up to the first parenthesis, brace, ; or ="""
    code = re.sub(r'/\*.*?\*/|//[^\n]*', '', part, flags=re.S)
    return re.split(r'[({;=]', code, maxsplit=1)[0]


def without_definition(text, name, where):
    parts = definitions(text)
    kept = [p for p in parts if not re.search(rf'\b{re.escape(name)}\b', heads(p))]
    if len(kept) == len(parts):
        die(f'{where}: there is no definition of {name}')
    # No blank line is left at the end of the file
    return ''.join(kept).rstrip('\n') + '\n'


def undone(text, change, within, where):
    """TEXT before a change, whose lines have a space, - or + in front"""
    after = ''.join(line[1:] for line in change if line[0] in ' +')
    before = ''.join(line[1:] for line in change if line[0] in ' -')
    part = text
    if within:
        part = ''.join(p for p in definitions(text) if re.search(rf'\b{re.escape(within)}\b', heads(p)))
    # Whole lines
    places = ('\n' + part).count('\n' + after) if after else 0
    if places != 1:
        die(f'{where}: {places} places have these lines, not one:\n{after}')
    return text.replace(part, ('\n' + part).replace('\n' + after, '\n' + before, 1)[1:], 1)


class Patch:
    """One description"""

    def __init__(self, path, number):
        self.path, self.number = path, number
        self.claims, self.new, self.parts, self.replaced = [], [], [], []
        text = read(path)
        head, found, body = text.partition('\n---\n') if not text.startswith('---\n') else ('', True, text[4:])
        if not found:
            die(f'{path} has no line ---')
        self.message = head
        words, found, diff = ('\n' + body).partition('\n--- a/')
        self.diff = list(parse_diff(found.lstrip('\n') + diff))
        self.parse(words[1:].splitlines(keepends=True), text.count('\n', 0, len(text) - len(body)))

    def parse(self, lines, start):
        file = within = change = None
        for number, line in enumerate(lines, start + 1):
            where = f'{self.path}:{number}'
            if line[0] in ' +-' or (line == '\n' and change is not None):
                if not file:
                    die(f'{where}: of which file?')
                if change is None:
                    change = []
                    self.parts.append((where, file, 'change', change, within))
                change.append(line if line != '\n' else ' \n')
                continue
            change = None
            if line.startswith('#') or not line.strip():
                continue
            word, *rest = line.split(maxsplit=1)
            rest = rest[0].strip() if rest else ''
            if line.startswith('@@'):
                within, word = rest or None, None
            if word == 'queue':
                self.claims.append((where, rest, None, None))
            elif word == 'hunks':
                name, *of = rest.split(maxsplit=2)
                self.claims.append((where, name, of[0], of[1] if len(of) > 1 else None))
            elif word == 'new':
                self.new += [(where, pattern) for pattern in rest.split()]
            elif word == 'part':
                file, within = rest, None
            elif word == 'definition':
                self.parts += [(where, file, word, name, None) for name in rest.split()]
            elif word == 'replaces':
                self.replaced.append(rest)
            elif word:
                die(f'{where}: {word} is not a word here')
        for index, (where, file, kind, change, within) in enumerate(self.parts):
            while kind == 'change' and change and change[-1] == ' \n':
                change.pop()


def main():
    series, queue_directory, picked, source, own_list, out = sys.argv[1:]
    names = [line.split('#')[0].strip() for line in read(f'{series}/series').splitlines()]
    patches = [Patch(f'{series}/{name}', n) for n, name in enumerate((n for n in names if n), 1)]
    queue = Queue(queue_directory, picked)
    own = read(own_list).split('\n')[:-1]

    # Selected hunks before what is left of a patch
    for rest in (False, True):
        for patch in patches:
            for where, number, file, text in patch.claims:
                if (file is None) == rest:
                    queue.claim(number, file, text, patch.number, where)
    for hunk in queue.hunks:
        if hunk['owner'] is None:
            die(f'no patch in {series} has this hunk of {hunk["queue"]}, {hunk["file"]}:\n{hunk["hunk"]}')

    enters = {}
    for patch in patches:
        for where, pattern in patch.new:
            matching = fnmatch.filter(own, pattern)
            if not matching:
                die(f'{where}: there is no file {pattern}')
            for file in matching:
                if file in enters:
                    die(f'{where}: {file} enters with patch {enters[file]} already')
                enters[file] = patch.number
    missing = [file for file in own if file not in enters]
    if missing:
        die(f'no patch in {series} has ' + ' '.join(missing))

    # Our files, from what they are in the end back to where they enter
    states = {0: {}}
    now = {file: read(file) for file in own}
    for patch in reversed(patches):
        states[patch.number] = {file: text for file, text in now.items() if enters[file] <= patch.number}
        # Definitions first, so that lines need to be unique in the rest alone
        whole = [part for part in patch.parts if part[2] != 'change']
        lines = [part for part in patch.parts if part[2] == 'change']
        for where, file, kind, what, within in whole + lines[::-1]:
            if enters.get(file, len(patches)) >= patch.number:
                die(f'{where}: {file} does not enter before this patch')
            if kind == 'change':
                now[file] = undone(now[file], what, within, where)
            else:
                now[file] = without_definition(now[file], what, where)

    # Files of the kernel, from what they are in the beginning
    base = {file: read(f'{source}/{file}') for file in queue.files()}
    for patch in patches:
        for file, _ in patch.diff:
            base.setdefault(file, read(f'{source}/{file}'))
    interim = {}
    for patch in patches:
        for file in patch.replaced:
            if not interim.pop(file, None):
                die(f'{patch.path}: no patch before it changes {file} by a diff')
        for file, hunk in patch.diff:
            interim.setdefault(file, []).append(hunk)
        for file, text in base.items():
            for number, hunks in queue.of(file, patch.number):
                text = patched(file, text, hunks, f'{patch.path}, with {number} of {queue_directory}')
            for hunk in interim.get(file, []):
                text = patched(file, text, [hunk], patch.path)
            states[patch.number][file] = text
    if interim:
        die(f'{series}: no patch replaces the diffs of {" ".join(interim)}')

    before = base
    for patch in patches:
        after = states[patch.number]
        header = patch.message or queue.messages[patch.claims[0][1]]
        write(f'{out}/{patch.number:04}.message', message(header))
        changed = [file for file, text in after.items() if before.get(file) != text]
        if not changed:
            die(f'{patch.path} changes nothing')
        for file in changed:
            write(f'{out}/{patch.number:04}/{file}', after[file])
        before = after


main()
