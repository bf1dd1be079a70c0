import * as A from '@automerge/automerge'
const mk = actor => A.getBackend(A.init({actor}))
const w = (h, k, v) => { h.put('/', k, Uint8Array.of(v), 'bytes'); h.commit(null, 0); return h.getLastLocalChange() }
const tryIt = (label, f) => { try { console.log(label, 'ok', f()) } catch (e) { console.log(label, e.constructor.name, String(e.message ?? e).slice(0, 200)) } }
const legit = mk('11'.repeat(16)); const L = w(legit, 'l', 1), L2 = w(legit, 'l2', 2), L3 = w(legit, 'l3', 2)
const hy = mk('aa'.repeat(16)); const Y = w(hy, 'x', 1)
const hx = mk('aa'.repeat(16)); hx.applyChanges([L]); const X = w(hx, 'x', 2)
const state = v => ['l','l2','l3','x'].map(k => v.getAll('/', k).length).join() + ' missing ' + v.getMissingDeps([]).length + ' heads ' + v.getHeads().length
{ const v = mk('22'.repeat(16))
tryIt('X queued', () => { v.applyChanges([X]); return state(v) })
tryIt('Y', () => {v.applyChanges([Y]); return state(v) })
tryIt('L', () => v.applyChanges([L])); console.log(state(v))
tryIt('L2', () => v.applyChanges([L2])); console.log(state(v))
tryIt('L again', () => v.applyChanges([L])); console.log(state(v))
tryIt('L3', () => v.applyChanges([L3])); console.log(state(v))
tryIt('save/load', () => state(A.getBackend(A.load(v.save())))) }
console.log('--- batch')
{ const v = mk('22'.repeat(16))
tryIt('XYLL2L3', () => v.applyChanges([X, L2, Y, L3, L])); console.log(state(v))
tryIt('again', () => v.applyChanges([L, L2, L3])); console.log(state(v))
}
console.log('--- fragments')
{
  const devs = [0,1].map(i => mk(['ab','cd'][i].repeat(16)))
  const all = []
  for (let i = 0; i < 3000; i++) { const d = devs[i % 7 < 3 ? 0 : 1]; all.push(w(d, 'k' + (i % 500), i % 256)); if (i % 50 === 0) { devs[0].applyChanges(all.slice(-120)); devs[1].applyChanges(all.slice(-120)) } }
  for (const d of devs) d.applyChanges(all)
  const third = mk('ef'.repeat(16)); third.applyChanges([...all].reverse())
  const s0 = performance.now(); const f = third.getFragmentMetadata({start: 1}); console.log('meta', performance.now() - s0)
  console.log(f.length, f.map(x => [x.level, x.members.length, x.boundary.length, x.checkpoints.length]).join(' | '))
  const all0 = third.getFragmentMetadata(); console.log('level0', all0.filter(x => x.level === 0).length, 'sum members', all0.reduce((s, x) => s + x.members.length, 0))
  console.log(JSON.stringify(devs[0].getFragmentMetadata({start:1})) === JSON.stringify(f), JSON.stringify(devs[0].getFragmentMetadata({start:1}).map(x=>[x.head, [...x.members].sort()])) === JSON.stringify(devs[1].getFragmentMetadata({start:1}).map(x => [x.head, [...x.members].sort()])))
  const bytes = third.bundleFragmentMetadata(f); console.log(bytes.map(b => b.length).join())
  // partial history: fragments of a prefix
  const part = mk('12'.repeat(16)); part.applyChanges(all.slice(0, 2000)); const pf = part.getFragmentMetadata({start:1})
  console.log('prefix', pf.length, pf.map(x => [x.level, x.members.length, f.some(y => y.head === x.head)]).join(' | '))
  // apply fragments in reverse
  const q = mk('13'.repeat(16)); const frs = f.map((m, i) => ({...m, bytes: bytes[i]}))
  tryIt('add newest first', () => { for (const x of [...frs].reverse()) { q.addFragments([x]) } return [q.getHeads().length, q.getMissingDeps([]).length, q.getHeads().join() === third.getHeads().join()] })
  tryIt('again', () => { q.addFragments(frs); return q.getHeads().length })
  const level0 = all0.filter(x => x.level === 0).flatMap(x => x.members)
  const loose = third.getChanges([]).filter(c => level0.includes(A.decodeChange(c).hash))
  tryIt('loose', () => { q.applyChanges(loose); return q.getHeads().join() === third.getHeads().join() })
  // wrong metadata
  const bad = {...frs[0], members: frs[1].members, head: frs[1].head}
  tryIt('wrong metadata', () => { const z = mk('14'.repeat(16)); z.addFragments([bad]); return z.getHeads().length })
  tryIt('wrong bytes', () => { const z = mk('14'.repeat(16)); z.addFragments([{...frs[0], bytes: Uint8Array.of(1,2,3)}]); return z.getHeads().length })
  tryIt('loadIncremental bytes', () => { const z = mk('14'.repeat(16)); z.loadIncremental(bytes[0]); return [z.getHeads().length, z.getMissingDeps([]).length] })
  console.log('nested members?', f.some((x,i) => f.some((y,j) => i!==j && x.members.some(m => y.members.includes(m)))))
  console.log(f[0])
  const s1 = performance.now(); console.log(A.readBundle(bytes[0]).changes.length, performance.now() - s1)
}
