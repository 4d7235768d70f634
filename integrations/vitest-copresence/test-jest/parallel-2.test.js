const { describeTestsThatAreAlone } = require('./alone.js')

describe('file 2', () => describeTestsThatAreAlone(2))
