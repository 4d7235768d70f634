// Creates the accounts, the role, the classes and the avatar's files. Running it again changes nothing.
const fs = require('node:fs');
const path = require('node:path');
const config = require('./config');
const { MASTER, requestParse, where } = require('./parse-rest');

/** A request that must succeed. */
async function must(method, requestPath, body, headers = {}) {
  const response = await requestParse(method, requestPath, { headers: { ...MASTER, ...headers }, body });
  if (response.status >= 400) {
    throw new Error(`${method} ${requestPath}: ${response.status} ${response.text}`);
  }
  return response.json;
}

async function createUser(account) {
  const found = await must('GET', `/users?${where({ username: account.username })}`);
  return (found.results[0] ?? (await must('POST', '/users', account))).objectId;
}

async function createClass(className, fields) {
  const { results } = await must('GET', '/schemas');
  if (!results.some((schema) => schema.className === className)) {
    const closed = { find: {}, get: {}, count: {}, create: {}, update: {}, delete: {}, addField: {} };
    await must('POST', `/schemas/${className}`, { className, fields, classLevelPermissions: closed });
  }
}

async function main() {
  const business = await createUser(config.BUSINESS);
  await createUser(config.NO_ROLE);
  const roles = await must('GET', `/roles?${where({ name: 'business' })}`);
  if (roles.results.length === 0) {
    const pointer = { __type: 'Pointer', className: '_User', objectId: business };
    const users = { __op: 'AddRelation', objects: [pointer] };
    await must('POST', '/roles', { name: 'business', ACL: { '*': { read: true } }, users });
  }
  await createClass('ExportToken', {
    token: { type: 'String' },
    owner: { type: 'Pointer', targetClass: '_User' },
    associatedAt: { type: 'Number' },
    redeemed: { type: 'Number' },
  });
  await createClass('AvatarExport', { exportType: { type: 'String' }, file: { type: 'File' } });
  const files = await must('GET', '/classes/AvatarExport');
  if (files.results.length === 0) {
    for (const [file, exportType, type] of [[config.GLB, 'glb', 'model/gltf-binary'], [config.PNG, 'png', 'image/png']]) {
      const content = fs.readFileSync(file);
      const upload = await must('POST', `/files/${path.basename(file)}`, content, { 'Content-Type': type });
      const stored = { __type: 'File', name: upload.name };
      await must('POST', '/classes/AvatarExport', { exportType, file: stored, ACL: {} });
    }
  }
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
