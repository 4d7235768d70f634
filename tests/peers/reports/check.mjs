// Checks the reports in a folder with the tools of their formats: `node check.mjs FOLDER JUNIT_SCHEMA`. Prints what is wrong,
// and ends with 1 if anything is.
import { spawnSync } from 'node:child_process'
import { chmodSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { validateXML } from 'xmllint-wasm'

const require = createRequire(import.meta.url)
const { har: validateHar } = require('har-validator')
const [folder, schema] = process.argv.slice(2)
const read = (name) => readFileSync(join(folder, name), 'utf8')
const problems = []

const junit = await validateXML({
  xml: [{ fileName: 'report.xml', contents: read('report.xml') }],
  schema: [readFileSync(schema, 'utf8')],
})
problems.push(...junit.errors.map((error) => `JUnit: ${error.rawMessage}`))

// GitLab ignores all but the first of several cases with the same name, and shows the text of a failure.
const cases = [...read('report.xml').matchAll(/<testcase name="([^"]*)"/g)].map((match) => match[1])
if (cases.length === 0 || new Set(cases).size !== cases.length) problems.push('JUnit: no cases, or some with the same name')
for (const [failure] of read('report.xml').matchAll(/<failure[^>]*\/>/g)) problems.push(`JUnit: no text: ${failure}`)

await validateHar(JSON.parse(read('report.har'))).catch((error) => problems.push(`HAR: ${JSON.stringify(error.errors)}`))

// The rules of SARIF and those of GitHub's code scanning. The program exists for x86-64 only.
if (process.arch === 'x64') {
  const program = require.resolve('@microsoft/sarif-multitool-linux/Sarif.Multitool')
  chmodSync(program, 0o755)
  const log = join(folder, 'sarif-check.json')
  const arguments_ = ['validate', join(folder, 'report.sarif'), '--rule-kind', 'Sarif;Ghas', '--log', 'ForceOverwrite', '--output', log]
  const env = { ...process.env, DOTNET_SYSTEM_GLOBALIZATION_INVARIANT: '1' }
  const run = spawnSync(program, arguments_, { encoding: 'utf8', env })
  if (run.status !== 0) problems.push(`SARIF: ${run.error ?? run.stdout + run.stderr}`)
  else {
    // SARIF2005 asks for a home page of the tool.
    const found = JSON.parse(readFileSync(log, 'utf8')).runs[0].results ?? []
    const others = found.filter((result) => result.ruleId !== 'SARIF2005')
    problems.push(...others.map((result) => `SARIF: ${result.ruleId}: ${JSON.stringify(result.message)}`))
  }
}

for (const problem of problems) console.error(problem)
process.exit(problems.length > 0 ? 1 : 0)
