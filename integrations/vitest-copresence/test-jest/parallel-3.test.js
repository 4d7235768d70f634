const { describeTestsThatAreAlone } = require('./alone.js')

describe('file 3', () => describeTestsThatAreAlone(3))
