// SPDX-License-Identifier: Apache-2.0
// A Parquet file by npm `hyparquet`, a JSON object a row on stdout. Numbers exact: DECIMAL in its integers, timestamps in
// microseconds and dates in days, all as text, since hyparquet itself would make doubles and Dates of them.
// The first line: {column: [physical type, converted type, scale, unit, isAdjustedToUTC]}, and the file's own words.
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from 'hyparquet'

const file = await asyncBufferFromFile(process.argv[2])
const metadata = await parquetMetadataAsync(file)
const types = {}
for (const element of metadata.schema.slice(1)) {
  types[element.name] = [element.type, element.converted_type ?? null, element.scale ?? null,
    element.logical_type?.unit ?? null, element.logical_type?.isAdjustedToUTC ?? null]
  if (element.converted_type !== 'UTF8') {
    delete element.converted_type
    delete element.logical_type
  }
}
const words = Object.fromEntries((metadata.key_value_metadata ?? []).map(({ key, value }) => [key, value]))
process.stdout.write(JSON.stringify({ types, words, row_groups: metadata.row_groups.length }) + '\n')
const rows = await parquetReadObjects({ file, metadata })
for (const row of rows)
  process.stdout.write(JSON.stringify(row, (_, value) => typeof value === 'bigint' ? value.toString() : value ?? null) + '\n')
