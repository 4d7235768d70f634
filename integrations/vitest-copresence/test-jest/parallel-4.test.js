const { describeTestsThatAreAlone } = require('./alone.js')

describe('file 4', () => describeTestsThatAreAlone(4))
