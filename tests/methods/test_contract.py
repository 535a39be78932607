from tests.methods.contract import X
def test_x(): assert X == 1
