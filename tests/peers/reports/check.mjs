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

// GitLab publishes no schema. Its parser (lib/gitlab/ci/parsers/test/junit.rb) and its documentation ask for this: one root
// `testsuites`, a name, a class name and a time for each case, and a text in each failure and error. Of several cases with the
// same class name and name it takes the first, and files of 30 MB and more are refused.
const xml = read('report.xml')
const attribute = (tag, name) => tag.match(new RegExp(` ${name}="([^"]*)"`))?.[1] ?? ''
const cases = xml.match(/<testcase [^>]*>/g) ?? []
const keys = cases.map((tag) => `${attribute(tag, 'classname')} ${attribute(tag, 'name')}`)
if (!/^<\?xml[^>]*>\s*<testsuites [^]*<\/testsuites>\s*$/.test(xml)) problems.push('JUnit: the root is not one `testsuites`')
if (xml.length >= 30e6) problems.push('JUnit: GitLab refuses files of 30 MB and more')
if (cases.length === 0 || new Set(keys).size !== cases.length) problems.push('JUnit: no cases, or some with the same name')
for (const tag of cases) {
  const isComplete = attribute(tag, 'classname') && attribute(tag, 'name') && /^\d+(\.\d+)?$/.test(attribute(tag, 'time'))
  if (!isComplete) problems.push(`JUnit: a class name, a name or a time is missing: ${tag}`)
}
for (const [problem] of xml.matchAll(/<(failure|error)( [^>]*)?\/>/g)) problems.push(`JUnit: no text: ${problem}`)

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
