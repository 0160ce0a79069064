#!/usr/bin/env python3
"""Records the broken shop: record.py LAB SCRATCH OUT  (see README.md)

LAB      folder of the lab: kube-up, kube-down, fake-kubelet, lab-dump
SCRATCH  new folder for the control plane's state
OUT      the bundle; its content is replaced
"""
import base64, calendar, copy, glob, hashlib, http.client, json, os, re, shutil, ssl, subprocess, sys, tempfile, time, urllib.parse
import yaml

LAB, SCRATCH, OUT = (os.path.abspath(path) for path in sys.argv[1:4])
HERE = os.path.dirname(os.path.abspath(__file__))
SPEED = 10                                   # the simulated kubelet's clock against the wall
START = '2025-06-17T11:58:00Z'               # of the recording's clock
NAME, VERSION, KUBELET = 'shop-prod', 'v1.31.9-eks-5d4a308', 'v1.31.7-eks-473151a'

# Minutes on the recording's clock. Between phases lie days, which the dump puts in.
RELEASES, OLD_RESTART, NIGHTS, FAULTS, CAPTURE = 15, 27, (32, 37, 42), (48, 59, 67, 74, 84), 101
BUSY = 88
ENDS = (14, 25, 31, 36, 41, 46)              # of the phases before the faults
GAPS = {14: 19.3, 25: 8.2, 31: 4.6}          # days after them; the nights' follow from 03:00


def at(minutes):
    """Waits for a minute of the recording's clock."""
    time.sleep(max(0.0, ZERO + minutes * 60 / SPEED - time.time()))


def virtual_now():
    return CLOCK['v0'] + (time.time() - CLOCK['t0']) * SPEED


class Api:
    def __init__(self, kubeconfig):
        text = open(kubeconfig).read()
        self.server = urllib.parse.urlparse(re.search(r'server:\s*"?([^"\s,}]+)', text).group(1))
        self.token = re.search(r'token:\s*"?([^"\s,}]+)', text).group(1)

    def call(self, method, path, body=None, content='application/json', allow=()):
        link = http.client.HTTPSConnection(self.server.hostname, self.server.port, context=ssl._create_unverified_context(), timeout=30)
        headers = {'Authorization': 'Bearer ' + self.token, 'Content-Type': content}
        link.request(method, path, None if body is None else json.dumps(body), headers)
        answer = link.getresponse()
        data = answer.read()
        if answer.status >= 300 and answer.status not in allow:
            sys.exit(f'{method} {path}: {answer.status} {data[:600]!r}')
        return json.loads(data or b'{}')

    def collection(self, thing):
        version, kind = thing['apiVersion'], thing['kind']
        plural = {'NetworkPolicy': 'networkpolicies', 'Ingress': 'ingresses', 'IngressClass': 'ingressclasses', 'StorageClass': 'storageclasses'}.get(kind, kind.lower() + 's')
        root = '/api/v1' if version == 'v1' else '/apis/' + version
        namespace = thing['metadata'].get('namespace')
        return f'{root}/namespaces/{namespace}/{plural}' if namespace else f'{root}/{plural}'

    def create(self, thing):
        return self.call('POST', self.collection(thing), played(thing))

    def patch(self, thing):
        path = f'{self.collection(thing)}/{thing["metadata"]["name"]}'
        return self.call('PATCH', path, played(thing), 'application/strategic-merge-patch+json')

    def delete(self, path):
        self.call('DELETE', path, allow=(404,))


def manifests(path):
    return [thing for thing in yaml.safe_load_all(open(os.path.join(HERE, path))) if thing]


def log_template(namespace, name):
    path = os.path.join(HERE, 'logs', namespace, name + '.log')
    return open(path).read() if os.path.exists(path) else None


def played(thing):
    """The manifest as the lab wants it: logs in annotations, deadlines in its own seconds."""
    thing = copy.deepcopy(thing)
    template = thing.get('spec', {}).get('template') or {}
    if 'progressDeadlineSeconds' in thing.get('spec', {}):
        thing['spec']['progressDeadlineSeconds'] //= SPEED
    for toleration in template.get('spec', {}).get('tolerations', []):
        if 'tolerationSeconds' in toleration:
            toleration['tolerationSeconds'] //= SPEED
    spec = template.get('spec', {})
    for container in spec.get('initContainers', []) + spec.get('containers', []):
        annotations = template.setdefault('metadata', {}).setdefault('annotations', {})
        key = 'lab.drydock/' + container['name']
        patch_only = 'containers' in spec and 'selector' not in thing['spec'] and thing['kind'] != 'Job'
        if patch_only and key not in annotations:
            continue
        annotations[key] = json.dumps(behaviour(thing['metadata']['namespace'], container['name'], json.loads(annotations.get(key, '{}'))))
    return thing


def behaviour(namespace, container, says):
    def with_log(run, inherited):
        run = dict(run)
        moment = {'OLD_RESTART': OLD_RESTART * 60, 'REDIS_GONE': FAULTS[0] * 60 + 40}.get(run.get('after'))
        if moment:
            run['after'] = round(moment - (virtual_now() - CLOCK['v0']) - 25)
        text = log_template(namespace, run.get('log', inherited))
        if text is None:
            sys.exit(f'no log for {namespace}/{run.get("log", inherited)}')
        run['log'] = re.sub(r'\{end-(\d+)\}', lambda match: '{ts+%d}' % (run['after'] - int(match.group(1))), text)
        return run
    if 'runs' in says:
        says['runs'] = [with_log(run, container) for run in says['runs']]
        return says
    return with_log(says, container)


def unready(api):
    pods = api.call('GET', '/api/v1/pods')['items']
    done = lambda pod: pod['status']['phase'] == 'Succeeded' or any(c['type'] == 'Ready' and c['status'] == 'True' for c in pod['status'].get('conditions', []))
    return [pod['metadata']['name'] for pod in pods if not done(pod)]


def running(api, name):
    pods = api.call('GET', f'/api/v1/namespaces/{name}/pods?labelSelector=app.kubernetes.io/component=service')['items']
    return any('running' in status['state'] for pod in pods for status in pod['status'].get('containerStatuses', []))


def all_ready(api, when):
    left = unready(api)
    if left:
        sys.exit(f'{when}: not ready: {left}')


# ------------------------------------------------------------------ the story
def start_lab():
    environment = {**os.environ, 'KUBE_LAB_SPEED': str(SPEED), 'KUBE_LAB_NODES': '0', 'KUBE_LAB_START': START}
    subprocess.run([f'{LAB}/kube-up', SCRATCH], env=environment, check=True)
    port = int(open(f'{SCRATCH}/ports').read().split('=')[1]) + 5
    log = open(f'{SCRATCH}/fake-kubelet.log', 'w')
    kubelet = subprocess.Popen([sys.executable, f'{LAB}/fake-kubelet', '--kubeconfig', f'{SCRATCH}/kubeconfig', '--nodes', f'{HERE}/nodes.json', '--speed', str(SPEED),
                                '--port', str(port), '--state', f'{SCRATCH}/clock.json', '--start', START, '--kubelet-version', KUBELET], stdout=log, stderr=log)
    open(f'{SCRATCH}/fake-kubelet.pid', 'w').write(str(kubelet.pid))
    while not os.path.exists(f'{SCRATCH}/clock.json'):
        time.sleep(0.1)
    time.sleep(1)


def base(api):
    for name in ('default', 'kube-system', 'kube-public', 'kube-node-lease'):
        api.call('PATCH', f'/api/v1/namespaces/{name}', {'metadata': {'labels': {'kubernetes.io/metadata.name': name}}}, 'application/merge-patch+json')
    for thing in manifests('base/cluster.yaml'):
        api.create(thing)
    while len(nodes := api.call('GET', '/api/v1/nodes')['items']) < 4:
        time.sleep(0.5)
    for node in nodes:
        owner = {'apiVersion': 'v1', 'kind': 'Node', 'name': node['metadata']['name'], 'uid': node['metadata']['uid']}
        driver = {'name': 'ebs.csi.aws.com', 'nodeID': node['spec']['providerID'].rsplit('/', 1)[1], 'topologyKeys': ['kubernetes.io/os', 'topology.ebs.csi.aws.com/zone', 'topology.kubernetes.io/zone'], 'allocatable': {'count': 25}}
        api.create({'apiVersion': 'storage.k8s.io/v1', 'kind': 'CSINode', 'metadata': {'name': owner['name'], 'ownerReferences': [owner]}, 'spec': {'drivers': [driver]}})
    at(1)
    for thing in manifests('base/kube-system.yaml'):
        api.create(thing)
    at(4)
    late = []
    for name in ('catalog', 'carts', 'orders', 'checkout', 'ui'):
        for thing in manifests(f'base/{name}.yaml'):
            late.append(thing) if thing['kind'] == 'Deployment' else api.create(thing)
    at(6)
    for thing in late:
        api.create(thing)
    balancer = {'loadBalancer': {'ingress': [{'hostname': 'k8s-ui-ui-4f1c09d27e-1820461935.eu-west-1.elb.amazonaws.com'}]}}
    api.call('PATCH', '/apis/networking.k8s.io/v1/namespaces/ui/ingresses/ui/status', {'status': balancer}, 'application/merge-patch+json')


METRICS = {'apiVersion': 'apiextensions.k8s.io/v1', 'kind': 'CustomResourceDefinition',
           'metadata': {'name': 'pods.metrics.k8s.io', 'annotations': {'api-approved.kubernetes.io': 'unapproved, stands in for metrics-server'}},
           'spec': {'group': 'metrics.k8s.io', 'scope': 'Namespaced', 'names': {'kind': 'PodMetrics', 'listKind': 'PodMetricsList', 'plural': 'pods', 'singular': 'podmetrics'},
                    'versions': [{'name': 'v1beta1', 'served': True, 'storage': True, 'schema': {'openAPIV3Schema': {'type': 'object', 'x-kubernetes-preserve-unknown-fields': True}}}]}}


def load(api, millis):
    """What metrics-server would say of the UI's pods."""
    pods = api.call('GET', '/api/v1/namespaces/ui/pods?labelSelector=app.kubernetes.io/name=ui')['items']
    for index, pod in enumerate(pods):
        name, labels = pod['metadata']['name'], pod['metadata']['labels']
        usage = {'cpu': f'{millis + 7 * index}m', 'memory': '471Mi'}
        metrics = {'apiVersion': 'metrics.k8s.io/v1beta1', 'kind': 'PodMetrics', 'metadata': {'name': name, 'namespace': 'ui', 'labels': labels},
                   'timestamp': time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime()), 'window': '15s', 'containers': [{'name': 'ui', 'usage': usage}]}
        path = '/apis/metrics.k8s.io/v1beta1/namespaces/ui/pods'
        api.delete(f'{path}/{name}')
        api.call('POST', path, metrics)


def night(api, day):
    """The CronJob's Job of 03:00 on a day of the month."""
    cronjob = api.call('GET', '/apis/batch/v1beta1/namespaces/catalog/cronjobs/catalog-reindex')
    planned = calendar.timegm((2025, 6, day, 3, 0, 0))
    owner = {'apiVersion': 'batch/v1', 'kind': 'CronJob', 'name': 'catalog-reindex', 'uid': cronjob['metadata']['uid'], 'controller': True, 'blockOwnerDeletion': True}
    template = manifests_by_name('base/catalog.yaml')['catalog-reindex']['spec']['jobTemplate']
    api.create({'apiVersion': 'batch/v1', 'kind': 'Job', 'spec': template['spec'],
                'metadata': {'name': f'catalog-reindex-{planned // 60}', 'namespace': 'catalog', 'labels': template['metadata']['labels'], 'ownerReferences': [owner]}})
    return virtual_now(), planned + 10    # the API server's seconds are ten of ours


def manifests_by_name(path):
    return {thing['metadata']['name']: thing for thing in manifests(path) if thing['kind'] == 'CronJob'}


def lose_redis(api):
    api.delete('/apis/apps/v1/namespaces/checkout/statefulsets/checkout-redis')
    claims = '/api/v1/namespaces/checkout/persistentvolumeclaims/data-checkout-redis-0'
    volume = api.call('GET', claims)['spec']['volumeName']
    api.delete(claims)
    gone = lambda path: api.call('GET', path, allow=(404,)).get('code') == 404
    while not gone('/api/v1/namespaces/checkout/pods/checkout-redis-0') or not gone(claims):
        time.sleep(0.2)
    api.delete(f'/api/v1/persistentvolumes/{volume}')
    api.create(manifests('faults/1-checkout-redis-storage-class.yaml')[0])


def story(api):
    base(api)
    at(ENDS[0] - 0.5)
    all_ready(api, 'base')
    at(RELEASES)
    for thing in manifests('releases/ui-and-catalog.yaml'):
        api.create(thing) if thing['kind'] == 'Job' else api.patch(thing)
    at(ENDS[1] - 2)
    all_ready(api, 'releases')
    api.create(METRICS)
    time.sleep(1.5)
    load(api, 151)
    nights = []
    for minute, day in zip(NIGHTS, (15, 16, 17)):
        at(minute)
        nights.append(night(api, day))
    at(FAULTS[0] - 1)
    all_ready(api, 'before the faults')
    at(FAULTS[0])
    lose_redis(api)
    for minute, path in zip(FAULTS[1:], ('2-catalog-image-tag', '3-orders-secret-key', '4-carts-memory-limit', '5-assets-service-selector')):
        at(minute)
        print('fault', path, flush=True)
        for thing in manifests(f'faults/{path}.yaml'):
            api.patch(thing)
    at(BUSY)
    load(api, 214)
    at(BUSY + 2)
    load(api, 146)
    at(CAPTURE)
    while running(api, 'checkout') or running(api, 'carts'):    # of their pods, between two crashes
        time.sleep(0.3)
    return nights


def shifts(nights):
    gaps, later = {}, 0.0
    for end, (seen, planned) in reversed(list(zip(ENDS[3:], nights))):
        gaps[end] = (seen - later - planned) / 86400
        later += seen - later - planned
    arguments = []
    for end in ENDS:
        when = time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(CLOCK['v0'] + end * 60))
        arguments += ['--shift', f'{when}:{gaps[end] if end in gaps else GAPS[end]:.9f}']
    return arguments


# ------------------------------------------------------------------ the last touches
def certificate():
    """A certificate authority for kube-root-ca.crt, whose key is thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '3650', '-subj', '/CN=kubernetes',
                        '-keyout', f'{folder}/key', '-out', f'{folder}/crt'], check=True, stderr=subprocess.DEVNULL)
        return open(f'{folder}/crt').read()


def built_in(role):
    """The API server's own roles and bindings, but for those that people use."""
    name, labels = role['metadata']['name'], role['metadata'].get('labels', {})
    return name not in ('cluster-admin', 'view') and (name.startswith('system:') or labels.get('kubernetes.io/bootstrapping') == 'rbac-defaults')


def newer_labels(store):
    """Labels that controllers of 1.31 write."""
    for o in store['jobs']:
        own = {'batch.kubernetes.io/controller-uid': o['metadata']['uid'], 'batch.kubernetes.io/job-name': o['metadata']['name']}
        o['spec']['template']['metadata']['labels'].update(own)
        o['spec']['selector'] = {'matchLabels': {'batch.kubernetes.io/controller-uid': o['metadata']['uid']}}
    for o in store['pods']:
        owner, name = o['metadata']['ownerReferences'][0], o['metadata']['name']
        if owner['kind'] == 'Job':
            o['metadata']['labels'].update({'batch.kubernetes.io/controller-uid': owner['uid'], 'batch.kubernetes.io/job-name': owner['name']})
        elif owner['kind'] == 'StatefulSet':
            o['metadata']['labels']['apps.kubernetes.io/pod-index'] = name.rsplit('-', 1)[1]


def api_server_endpoints(store):
    """Those of the Service `kubernetes`, which a control plane on loopback does not publish."""
    service = next(o for o in store['services'] if (o['metadata']['namespace'], o['metadata']['name']) == ('default', 'kubernetes'))
    ours = lambda o: (o['metadata']['namespace'], o['metadata']['name']) == ('default', 'kubernetes')
    meta = {'name': 'kubernetes', 'namespace': 'default', 'creationTimestamp': service['metadata']['creationTimestamp'], 'resourceVersion': '204', 'labels': {'endpointslice.kubernetes.io/skip-mirror': 'true'}}
    addresses = ('192.168.118.44', '192.168.157.9')
    port = {'name': 'https', 'port': 443, 'protocol': 'TCP'}
    store['endpoints'] = [o for o in store['endpoints'] if not ours(o)] + [
        {'apiVersion': 'v1', 'kind': 'Endpoints', 'metadata': {**meta, 'uid': 'b1c6b2f4-52a1-4d38-9a0e-2f6f0a6f9f11'}, 'subsets': [{'addresses': [{'ip': ip} for ip in addresses], 'ports': [port]}]}]
    store['endpointslices'] = [o for o in store['endpointslices'] if not ours(o)] + [
        {'apiVersion': 'discovery.k8s.io/v1', 'kind': 'EndpointSlice', 'metadata': {**meta, 'uid': '0f9a7a0e-4e55-4f63-8a35-6c1f1d0f8a27', 'labels': {'kubernetes.io/service-name': 'kubernetes'}},
         'addressType': 'IPv4', 'endpoints': [{'addresses': [ip], 'conditions': {'ready': True}} for ip in addresses], 'ports': [port]}]


def finish(dump):
    store = {os.path.basename(path)[:-5]: json.load(open(path))['items'] for path in glob.glob(f'{dump}/resources/*.json')}
    captured = json.load(open(f'{dump}/cluster.json'))['capturedAt']
    for kind in ('roles', 'rolebindings', 'clusterroles', 'clusterrolebindings'):
        store[kind] = [o for o in store[kind] if not built_in(o)]
    store['configmaps'] = [o for o in store['configmaps'] if o['metadata']['name'] != 'extension-apiserver-authentication']
    authority = certificate()
    for o in store['configmaps']:
        if o['metadata']['name'] == 'kube-root-ca.crt':
            o['data'] = {'ca.crt': authority}
    for o in store['secrets']:
        o['data'] = dict.fromkeys(o.get('data', {}), base64.b64encode(b'REDACTED').decode())
    for o in store['cronjobs']:
        last = max(job['status']['completionTime'] for job in store['jobs'] if o['metadata']['uid'] in [owner['uid'] for owner in job['metadata'].get('ownerReferences', [])])
        o['status'] = {'lastScheduleTime': f'{last[:10]}T03:00:00Z', 'lastSuccessfulTime': last}
    api_server_endpoints(store)
    newer_labels(store)
    shutil.rmtree(OUT, ignore_errors=True)
    for kind, items in store.items():
        write(f'resources/{kind}.json', '{"apiVersion":"v1","kind":"List","items":[' + ',\n'.join(json.dumps(o, separators=(',', ':')) for o in items) + ']}\n')
    write('cluster.json', json.dumps({'name': NAME, 'kubernetesVersion': VERSION, 'capturedAt': captured}, indent=2) + '\n')
    finish_logs(dump, store, calendar.timegm(time.strptime(captured, '%Y-%m-%dT%H:%M:%SZ')))


def finish_logs(dump, store, now):
    services = {f'{o["metadata"]["namespace"]}/{o["metadata"]["name"]}': o['spec'].get('clusterIP', '') for o in store['services']}
    pods = {(o['metadata']['namespace'], o['metadata']['name']): o for o in store['pods']}
    for path in sorted(glob.glob(f'{dump}/logs/*/*/*.log')):
        namespace, pod, file = path.split('/')[-3:]
        thing = pods[namespace, pod]
        container = file.removesuffix('.log').removesuffix('.previous')
        statuses = thing['status'].get('containerStatuses', []) + thing['status'].get('initContainerStatuses', [])
        began = next((s['state'].get('running', {}).get('startedAt') for s in statuses if s['name'] == container), None)
        began = calendar.timegm(time.strptime(began, '%Y-%m-%dT%H:%M:%SZ')) if began else now
        lines = [live_line(line, pod, began, now) for line in open(path).read().splitlines()]
        text = '\n'.join(line for line in lines if line is not None) + '\n'
        text = re.sub(r'\{clusterip:([^}]+)\}', lambda match: services[match.group(1)], text)
        text = text.replace('{pod}', pod).replace('{node}', thing['spec'].get('nodeName', ''))
        write(f'logs/{namespace}/{pod}/{file}', text)


def live_line(line, pod, began, now):
    """Fills in {now-N} and {some-N}; each pod has some of the latter, at its own times."""
    match = re.match(r'\{(now|some)-(\d+)\}', line)
    if not match:
        return line
    chance = int(hashlib.sha256((pod + line).encode()).hexdigest()[:8], 16)
    if match.group(1) == 'some' and chance % 10 >= 6:
        return None
    moment = now - max(2, int(match.group(2)) - sum(pod.encode()) % 17)
    if moment < began + 20:
        return None
    return time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(moment)) + '.%03dZ' % (chance // 100 % 1000) + line[match.end():]


def write(path, text):
    path = os.path.join(OUT, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'w') as file:
        file.write(text)


start_lab()
CLOCK = json.load(open(f'{SCRATCH}/clock.json'))
ZERO = CLOCK['t0']
API = Api(f'{SCRATCH}/kubeconfig')
told = story(API)
dump = f'{SCRATCH}/dump'
subprocess.run([f'{LAB}/lab-dump', dump, '--kubeconfig', f'{SCRATCH}/kubeconfig', '--name', NAME, '--as-version', VERSION, *shifts(told)], check=True)
finish(dump)
print(OUT)
