"""Hashes of small fits of every method and preset, and of every row of every suite: run before and after a change."""
import hashlib, json, sys, inspect, warnings
import numpy as np, torch
torch.set_num_threads(1)
warnings.filterwarnings("ignore")
try:
    import deep_em_bench.methods as methods, deep_em_bench.datasets as datasets
    from deep_em_bench.benchmarks.suite import Suite, suite_files
except ImportError:
    import methods, datasets
    from benchmarks.suite import Suite, suite_files
CUT = dict(max_iter=2, epochs=2, m_epochs=1, m_steps=3, steps=3, classifier_steps=3, e_steps=3, pretrain_steps=6, e_pretrain_steps=6,
    pretrain_epochs=1, layer_steps=3, finetune_steps=3, update_interval=3, batch_size=16, e_batch_size=16, real_batch_size=32, n_init=2,
    init_steps=3, width=.1, hidden=(16, 16), e_hidden=(16, 16), generator_hidden=(16,), labelled_steps=3, critic_steps=2, n_iter=250, passes=2, noise_dim=4, device="cpu")
def cut(full):
    out = {}
    for k, v in CUT.items():
        if k in full:
            f = full[k]
            if isinstance(v, (int, float)) and isinstance(f, (int, float)) and not isinstance(f, bool): v = min(v, f)
            if isinstance(v, tuple) and not f: v = f
            if f is None: v = f
            out[k] = v
    return out
def data(seed=0):
    d = datasets.load("digits", subset=150, seed=0)
    m = datasets.load("moons", subset=120, seed=0)
    r = {"digits": (d.X, d.y, 10), "moons": (m.X, m.y, 2)}
    try:
        n = datasets.load("mnist", subset=130, seed=0)
        r["mnist"] = (n.X, n.y, 10)
    except Exception as e:
        print("no mnist", e, file=sys.stderr)
    return r
def digest(m, X, rows):
    parts = {f"learnt {k}": v for k, v in m._arrays().items()}
    parts |= {"labels": m.labels_, "proba": m.predict_proba(X)}
    if isinstance(m, methods.Generative) and m.can_sample():
        parts["sample"] = m.sample(5, random_state=1)[0]
    if isinstance(m, methods.Reducer) and getattr(m, "n_components", None) is not None:
        parts["features"] = m.transform(X)
    h = hashlib.sha256()
    for k in sorted(parts):
        v = np.ascontiguousarray(parts[k]); h.update(f"{k} {v.dtype} {v.shape}".encode() + v.tobytes())
    hist = [{k: v for k, v in row.items() if not k.endswith("seconds") and not k.endswith("_s")} for row in m.history_]
    h.update(json.dumps(hist, sort_keys=True, default=float).encode())
    return h.hexdigest()[:24]
def one(name, preset, params, X, y, k):
    full = methods.create(name, preset, **params).get_params(deep=False)
    p = {**params, **cut(full), "n_clusters": k, "random_state": 5}
    p = {a: b for a, b in p.items() if a in full}
    try:
        m = methods.create(name, preset, **p)
        if isinstance(m, methods.SemiSupervised):
            a = "" if getattr(m, "needs_labels", False) else digest(m.fit(X), X, 0)
            known = np.where(np.arange(len(y)) < 40, y, -1).astype(np.int64)
            m = methods.create(name, preset, **p)
            return a + "/" + digest(m.fit(X, known), X, 0)
        return digest(m.fit(X), X, 0)
    except Exception as e:
        return f"{type(e).__name__}: {str(e)[:80]}"
out = {}
D = data()
from_suites = {}
for sname, path in suite_files().items():
    s = Suite.find(sname)
    for r in s.methods:
        for pname, prof in [("none", None), *s.profiles.items()]:
            params = dict(r.params)
            if prof is not None:
                for key in (r.name, r.label):
                    if key in prof.methods: params |= prof.methods[key]
            params = {k: (None if v == "none" and k in ("n_components","e_components","e_last_std","init_std","generator_clip","noise_dim") else v) for k, v in params.items()}
            from_suites[json.dumps([r.name, r.preset, params], sort_keys=True)] = (r.name, r.preset, params)
cases = [(n, p, {}) for n, d in sorted(methods.registry.declarations().items()) for p in methods.registry.get(n).attributes["presets"]]
seen = set()
for n, p, params in cases + list(from_suites.values()):
    full = methods.create(n, p, **params).get_params(deep=False)
    eff = json.dumps([n, {k: v for k, v in {**full, **cut(full)}.items()}], sort_keys=True, default=str)
    if eff in seen: continue
    seen.add(eff)
    for dn, (X, y, k) in D.items():
        if dn == "mnist" and params: continue
        key = f"{n}[{p}] {json.dumps(params, sort_keys=True)} {dn}"
        out[key] = one(n, p, params, X, y, k)
        print(key, out[key], file=sys.stderr, flush=True)
json.dump(out, open(sys.argv[1], "w"), indent=0, sort_keys=True)
