import { MAX_MERGED_TEXT_BYTES } from '@holdfast/protocol'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { runs } from '../../testing/vault-model.js'
import { mergeText } from './merge-text.js'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (merged: Uint8Array | null): string => { expect(merged).not.toBeNull(); return new TextDecoder('utf-8', { ignoreBOM: true }).decode(merged!) }
const merge = (base: string, left: string, right: string): string => {
  const merged = text(mergeText(bytes(base), bytes(left), bytes(right)))
  expect(text(mergeText(bytes(base), bytes(right), bytes(left)))).toBe(merged)
  return merged
}

test('MAN-5 changes of different lines are both there, also of lines next to each other', () => {
  expect(merge('a\nb\nc\nd\n', 'A\nb\nc\nd\n', 'a\nb\nc\nD\n')).toBe('A\nb\nc\nD\n')
  expect(merge('a\nb\n', 'A\nb\n', 'a\nB\n')).toBe('A\nB\n')
  expect(merge('a\nb\n', 'new\na\nb\n', 'A\nb\n')).toBe('new\nA\nb\n')
})

test('MAN-5 where both changed the same lines both stay, one after the other', () => {
  expect(merge('title\nx\nend\n', 'title\nleft\nend\n', 'title\nright\nend\n')).toBe('title\nleft\nright\nend\n')
  expect(merge('list\n', 'list\nmilk\n', 'list\neggs\n').split('\n').sort()).toEqual(['', 'eggs', 'list', 'milk'])
  expect(merge('a\nb\nc\n', 'P\nc\n', 'a\nQ\n')).toBe('P\nQ\n')
})

test('MAN-5 what both did alike is there once; a deletion gives way to a change', () => {
  expect(merge('a\nb\n', 'a\nsame\nb\n', 'a\nsame\nb\n')).toBe('a\nsame\nb\n')
  expect(merge('a\n', 'a\nfirst\nx\nlast\n', 'a\nfirst\ny\nlast\n')).toBe('a\nfirst\nx\ny\nlast\n')
  expect(merge('a\nb\nc\n', 'a\nc\n', 'a\nB\nc\n')).toBe('a\nB\nc\n')
  expect(merge('a\nb\nc\n', 'a\nc\n', 'a\nb\n')).toBe('a\n')
})

test('MAN-5 merging again what is merged already changes nothing', () => {
  for (const [base, left, right] of [['x\n', 'left\n', 'right\n'], ['a\nb\n', 'a\n1\nb\n', 'a\n2\nb\n'], ['', 'one\n', 'two\n']] as const) {
    const merged = merge(base, left, right)
    expect(merge(base, merged, left)).toBe(merged)
    expect(merge(base, merged, right)).toBe(merged)
    expect(merge(base, merged, base)).toBe(merged)
  }
})

test('MAN-5 line breaks and a missing last one follow the side that changed them', () => {
  expect(merge('a\nb\nc\n', 'a\r\nb\r\nc\r\n', 'a\nB\nc\n')).toBe('a\r\nB\r\nc\r\n')
  expect(merge('a\r\nb\r\nc\r\n', 'a\r\nb\r\nc\r\nd\r\n', 'z\r\na\r\nb\r\nc\r\n')).toBe('z\r\na\r\nb\r\nc\r\nd\r\n')
  expect(merge('a\nb', 'a\nb\n', 'A\nb')).toBe('A\nb\n')
  expect(merge('a\nb\n', 'a\nb', 'A\nb\n')).toBe('A\nb')
  expect(merge('a\nb', 'a\nb\nc', 'A\nb')).toBe('A\nb\nc')
  expect(merge('', 'one', 'two\n')).toMatch(/^(one\ntwo|two\none)\n$/)
  expect(merge('\ufeffa\nb\nc\n', '\ufeffA\nb\nc\n', '\ufeffa\nb\nC\n')).toBe('\ufeffA\nb\nC\n')
})

test('MAN-5 binary, broken UTF-8 and too large a text are refused', () => {
  const fine = bytes('text\n')
  for (const bad of [Uint8Array.of(0x61, 0, 0x62), Uint8Array.of(0xff, 0xfe), Uint8Array.of(0xc3), new Uint8Array(MAX_MERGED_TEXT_BYTES + 1).fill(0x61)]) {
    expect(mergeText(bad, fine, bytes('other\n'))).toBeNull()
    expect(mergeText(fine, bad, bytes('other\n'))).toBeNull()
    expect(mergeText(fine, fine, bad)).toBeNull()
  }
  expect(mergeText(fine, new Uint8Array(MAX_MERGED_TEXT_BYTES).fill(0x61), fine)).not.toBeNull()
})

test('MAN-5 long texts take no time; text of nothing but repetitions is refused rather than compared for minutes', () => {
  const lines = Array.from({ length: 30_000 }, (_, i) => `line ${i}`)
  const left = lines.with(0, 'left')
  const right = [...lines.slice(1), 'right']
  const began = performance.now()
  expect(merge(lines.join('\n'), left.join('\n'), right.join('\n'))).toBe(['left', ...lines.slice(1), 'right'].join('\n'))
  const repeating = (first: string): Uint8Array => bytes(first + 'x\ny\n'.repeat(100_000) + first)
  expect(mergeText(repeating('a\n'), repeating('b\n'), repeating('y\ny\n'))).toBeNull()
  // Each stretch is cheap to compare, all together are not.
  const stretches = (count: number): Uint8Array => bytes(Array.from({ length: 400 }, (_, i) => `only ${i}\n${'same\n'.repeat(count)}`).join('other\n'))
  expect(mergeText(stretches(500), stretches(600), stretches(501))).not.toBeNull()
  const swapped = (a: string, b: string): Uint8Array => bytes(Array.from({ length: 400 }, (_, i) => `only ${i}\n${a}\n${'same\n'.repeat(500)}${b}\n`).join(''))
  expect(mergeText(swapped('a', 'b'), swapped('b', 'a'), swapped('b', 'b'))).toBeNull()
  // Ten times what it takes on a slow machine; comparing all with all would take hours.
  expect(performance.now() - began).toBeLessThan(20_000)
})

const line = fc.constantFrom('', 'a', 'b', 'c', '{', '}', 'long line')
const document = fc.tuple(fc.array(line, { maxLength: 12 }), fc.constantFrom('\n', '\r\n'), fc.boolean())
  .map(([lines, end, finished]) => lines.join(end) + (finished && lines.length > 0 ? end : ''))
/** Changes a document here and there, with lines that nobody else writes. */
const edited = (base: string, mark: string): fc.Arbitrary<string> => fc.array(fc.tuple(fc.nat(12), fc.nat(2), fc.nat(2)), { maxLength: 4 }).map(edits => {
  const end = base.includes('\r\n') ? '\r\n' : '\n'
  const lines = base.split(end)
  edits.forEach(([at, remove, add], i) => lines.splice(at, remove, ...Array.from({ length: add }, (_, n) => `${mark}${i}${n}`)))
  return lines.join(end)
})

test('MAN-5 for any texts the merge is symmetric, keeps every added line, and brings back none that both deleted', () => {
  const texts = document.chain(base => fc.tuple(fc.constant(base), edited(base, 'left'), edited(base, 'right')))
  fc.assert(fc.property(texts, ([base, left, right]) => {
    const merged = merge(base, left, right)
    const linesOf = (of: string): string[] => of.split(/\r?\n/)
    const has = new Set(linesOf(merged))
    for (const added of [...linesOf(left), ...linesOf(right)]) if (!linesOf(base).includes(added) && added !== '') expect(has).toContain(added)
    for (const kept of linesOf(base)) {
      if (kept === '') continue
      if (linesOf(left).includes(kept) || linesOf(right).includes(kept)) continue
      expect(has).not.toContain(kept)
    }
    expect(merge(base, left, left)).toBe(left)
    expect(merge(base, base, right)).toBe(right)
  }), runs(1_000))
})

test('MAN-5 merging once more with either side changes nothing, where no line repeats another', () => {
  const distinct = fc.nat(8).map(count => Array.from({ length: count }, (_, i) => `line ${i}\n`).join(''))
  const texts = distinct.chain(base => fc.tuple(fc.constant(base), edited(base, 'left'), edited(base, 'right')))
  fc.assert(fc.property(texts, ([base, left, right]) => {
    const merged = merge(base, left, right)
    const linesOf = (of: string): string[] => of.split('\n').filter(one => one !== '').sort()
    for (const side of [left, right]) expect(linesOf(merge(base, merged, side))).toEqual(linesOf(merged))
  }), runs(1_000))
})

test('MAN-5 unrelated texts of any lines merge symmetrically too', () => {
  fc.assert(fc.property(document, document, document, (base, left, right) => { merge(base, left, right) }), runs(1_000))
})
