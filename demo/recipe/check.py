#!/usr/bin/env python3
"""Checks a recording: check.py BUNDLE. Prints what is wrong; exit code 1 if anything is."""
import base64, glob, json, os, re, sys

ROOT = sys.argv[1]
WRONG = []
store, by_uid, names = {}, {}, {}


def wrong(text):
    WRONG.append(text)


def said(thing):
    return f'{thing["kind"]} {thing["metadata"].get("namespace", "")}/{thing["metadata"]["name"]}'


for path in sorted(glob.glob(f'{ROOT}/resources/*.json')):
    document = json.load(open(path))
    store[os.path.basename(path)[:-5]] = document['items']
    for thing in document['items']:
        meta = thing['metadata']
        by_uid[meta['uid']] = thing
        names[thing['kind'], meta.get('namespace', ''), meta['name']] = thing
        if 'managedFields' in meta:
            wrong(f'{said(thing)}: managedFields')
        if meta['creationTimestamp'] > json.load(open(f'{ROOT}/cluster.json'))['capturedAt']:
            wrong(f'{said(thing)}: made after the recording')

everything = [thing for items in store.values() for thing in items]
for thing in everything:
    for owner in thing['metadata'].get('ownerReferences', []):
        found = by_uid.get(owner['uid'])
        if not found or found['metadata']['name'] != owner['name'] or found['kind'] != owner['kind']:
            wrong(f'{said(thing)}: owner {owner["kind"]} {owner["name"]} is not there')

for pod in store['pods']:
    meta, status, spec = pod['metadata'], pod['status'], pod['spec']
    folder = f'{ROOT}/logs/{meta["namespace"]}/{meta["name"]}'
    for container in status.get('containerStatuses', []) + status.get('initContainerStatuses', []):
        began = container.get('containerID') or container['restartCount']
        log, previous = f'{folder}/{container["name"]}.log', f'{folder}/{container["name"]}.previous.log'
        if bool(began) != os.path.exists(log):
            wrong(f'{said(pod)} {container["name"]}: log {"missing" if began else "of a container that never began"}')
        if bool(container['lastState'].get('terminated')) != os.path.exists(previous):
            wrong(f'{said(pod)} {container["name"]}: previous log')
    if spec.get('nodeName') and ('Node', '', spec['nodeName']) not in names:
        wrong(f'{said(pod)}: node is not there')

past = {}
for event in store['events']:
    about = event['involvedObject']
    if about.get('uid') in by_uid or (about['kind'], about.get('namespace', ''), about['name']) in names:
        continue
    past.setdefault(f'{about["kind"]} {about.get("namespace", "")}/{about["name"]}', []).append(event['reason'])

for path in glob.glob(f'{ROOT}/logs/*/*/*.log'):
    text = open(path).read()
    namespace, pod, _ = os.path.relpath(path, f'{ROOT}/logs').split('/')
    if ('Pod', namespace, pod) not in names:
        wrong(f'{path}: no such pod')
    if not text.strip():
        wrong(f'{path}: empty')
    times = [re.match(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z', line) for line in text.splitlines()]
    if not all(times):
        wrong(f'{path}: a line without time')
    elif [t.group(0) for t in times] != sorted(t.group(0) for t in times):
        wrong(f'{path}: not in order of time')

for secret in store['secrets']:
    if any(base64.b64decode(value) != b'REDACTED' for value in secret.get('data', {}).values()):
        wrong(f'{said(secret)}: a value')

size = 0
for path in glob.glob(f'{ROOT}/**', recursive=True):
    if os.path.isfile(path):
        text = open(path).read()
        size += len(text)
        for bad in ('lab.drydock', 'last-applied', '2026-', '{ts', '{now', '{some', '{clusterip', '{pod', '{end', '/tmp/', '127.0.0.1-ca'):
            if bad in text:
                wrong(f'{path}: {bad}')

for line in WRONG:
    print('WRONG', line)
for name, reasons in sorted(past.items()):
    print('past  ', name, sorted(set(reasons)))
print(f'{len(everything)} objects, {len(store["pods"])} pods, {len(store["events"])} events, {size} bytes, {len(WRONG)} wrong')
sys.exit(bool(WRONG))
