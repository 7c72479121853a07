from p2pdist.shared.errors import UserError, first_error


def test_the_first_error_is_found_however_deep_it_is_wrapped():
    disk = UserError("The disk is full.")
    inner = BaseExceptionGroup("", [disk, ValueError("later")])
    assert first_error(disk) is disk
    assert first_error(inner) is disk
    assert first_error(BaseExceptionGroup("", [BaseExceptionGroup("", [inner]), KeyError()])) is disk
