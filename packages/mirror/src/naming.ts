/** How a disk treats names. Probed, never guessed from the operating system. */
export interface Naming {
  /** Equal for names that this disk takes for one. */
  fold (name: string): string
  /** How a vault's name is spelled on this disk when nothing stands in its way. */
  diskName (name: string): string
  /** True when every name is kept and told apart exactly. */
  readonly exact: boolean
}

export interface NameTraits { foldsCase: boolean, foldsUnicode: boolean }

export function createNaming ({ foldsCase, foldsUnicode }: NameTraits): Naming {
  const normal = (name: string): string => foldsUnicode ? name.normalize('NFC') : name
  return {
    exact: !foldsCase && !foldsUnicode,
    diskName: normal,
    // Upper and then lower case: `ß`, `ſ`, final sigma and the Kelvin sign meet their partners.
    fold: name => foldsCase ? normal(normal(name).toUpperCase().toLowerCase()) : normal(name)
  }
}

export const exactNaming: Naming = createNaming({ foldsCase: false, foldsUnicode: false })

/** `name (2).txt`, `name (3).txt`, … : the first that is free. Cut so that it fits 255 bytes. */
export function suffixedName (name: string, free: (name: string) => boolean): string {
  const dot = name.lastIndexOf('.')
  const [stem, extension] = dot > 0 ? [name.slice(0, dot), name.slice(dot)] : [name, '']
  for (let number = 2; ; number++) {
    const candidate = fit(stem, ` (${number})${extension}`)
    if (free(candidate)) return candidate
  }
}

function fit (stem: string, ending: string): string {
  const encoder = new TextEncoder()
  const points = Array.from(stem)
  while (points.length > 1 && encoder.encode(points.join('') + ending).length > 255) points.pop()
  return points.join('') + ending
}
