import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatAge, formatBytes, formatDuration, parseBytes, printable, table } from './format.js'

describe('what a person reads', () => {
  test('CLI sizes have three digits at most and the right unit', () => {
    expect([0, 999, 1000, 1234, 9_949, 9_950, 34_400_000, 999_499, 999_500, 5e15].map(formatBytes))
      .toEqual(['0 B', '999 B', '1.0 kB', '1.2 kB', '9.9 kB', '10 kB', '34 MB', '999 kB', '1.0 MB', '5.0 PB'])
  })

  test('CLI a size reads back to within its own precision', () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: 9e14 }), bytes => {
      const back = parseBytes(formatBytes(bytes))!
      expect(Math.abs(back - bytes)).toBeLessThanOrEqual(bytes * 0.051)
    }))
  })

  test('CLI --quota takes bytes and units, and nothing else', () => {
    expect(['1024', '10GB', '500 M', '1.5k', '2KiB', '1TiB', '7b'].map(parseBytes)).toEqual([1024, 1e10, 5e8, 1500, 2048, 2 ** 40, 7])
    expect(['', 'x', '-1', '1e3', '10 XB', '99999999PB'].map(parseBytes)).toEqual(Array(6).fill(undefined))
  })

  test('CLI ages are in the largest whole unit', () => {
    expect([-5, 999, 1000, 59_999, 60_000, 180_000, 3_600_000 * 5, 86_400_000].map(formatDuration))
      .toEqual(['a moment', 'a moment', '1 second', '59 seconds', '1 minute', '3 minutes', '5 hours', '1 day'])
    expect(formatAge(1_000, 181_000)).toBe('3 minutes ago')
  })

  test('CLI a name with control characters or direction marks cannot disturb the terminal', () => {
    expect(printable('a\u001b[31mb\nc\u202ed')).toBe('a\\u001b[31mb\\u000ac\\u202ed')
    expect(printable('Grüße 🌊')).toBe('Grüße 🌊')
  })

  test('CLI columns line up', () => {
    expect(table([['1', 'a', 'x'], ['22', 'bb', 'yyy']], [0])).toEqual([' 1  a   x', '22  bb  yyy'])
  })
})
