import PasswordHashing
import Testing
import TunnelConfiguration

@Suite struct PasswordHashingTests {
    /// Made by other programs.
    private static let foreign = [
        // argon2 of Debian's argon2 package, -id -t 2 -k 64 -p 1.
        "$argon2id$v=19$m=64,t=2,p=1$c2FsdHNhbHQ$2atm6J+AisVMyVRkZ0U3bBoYpfv00QbSIISmY8H5NRE",
        // htpasswd -B, by libcrypt.
        "$2y$04$abcdefghijklmnopqrstuugZw0e/b5r1sdG/3LSl4QiQiC2VrNNoC",
        "$6$rounds=1000$saltsalt$o.6KP3mP0c9sgK2kCeggE5NurqATruGxQrao71ibicT1cZFXfVrY4iRrr1ySvsoVgPwZCHGwbsFVPix7US2ky1",
        "$6$saltsalt$01lkPonVbqy39nOlepStLwlIpnIaSwFNnhHo9fcwVdX2TMbPiAY8xQjukJBi.J5hZtUo.jMPd5KBFI0g2HxrO1",
    ]

    @Test(arguments: foreign) func whatOtherProgramsMadeIsUnderstood(_ text: String) throws {
        let hash = try #require(PasswordHash(text))
        #expect(PasswordHashing.verify(Secret("open sesame ü"), hash))
        for wrong in ["open sesame", "open sesame ü ", "", "Open sesame ü"] {
            #expect(!PasswordHashing.verify(Secret(wrong), hash), "\(wrong)")
        }
    }

    @Test(arguments: PasswordHash.Method.allCases) func aHashIsGoodForItsPasswordAlone(
        _ method: PasswordHash.Method
    ) throws {
        let text = try PasswordHashing.hash("correct horse", by: method)
        let hash = try #require(PasswordHash(text), "the configuration would not take \(text)")
        #expect(hash.method == method)
        #expect(PasswordHashing.verify(Secret("correct horse"), hash))
        #expect(!PasswordHashing.verify(Secret("correct horsf"), hash))
    }

    @Test(arguments: PasswordHash.Method.allCases) func noTwoHashesAreAlike(
        _ method: PasswordHash.Method
    ) throws {
        #expect(
            try PasswordHashing.hash("twice", by: method) != PasswordHashing.hash("twice", by: method))
    }
}
