const { describeTestsThatAreAlone } = require('./alone.js')

describe('file 1', () => describeTestsThatAreAlone(1))
