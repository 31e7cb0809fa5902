/// Public certificates, made by openssl 3.0 (`openssl req -x509`, `x509 -req`, `ca`). Their keys are thrown away.
enum Sample {
    /// An authority: EC P-256, `/C=DE/O=Corp/CN=Corp CA`.
    static let ca = """
        -----BEGIN CERTIFICATE-----
        MIIBnjCCAUSgAwIBAgIBATAKBggqhkjOPQQDAjAuMQswCQYDVQQGEwJERTENMAsG
        A1UECgwEQ29ycDEQMA4GA1UEAwwHQ29ycCBDQTAeFw0yNjExMjkyMzM4MDJaFw00
        NjExMjQyMzM4MDJaMC4xCzAJBgNVBAYTAkRFMQ0wCwYDVQQKDARDb3JwMRAwDgYD
        VQQDDAdDb3JwIENBMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEn0WLYcMaS672
        ZgFBsqREq/yNO1o+JiZM5ET78GbnpR6eTuQikg0p/BCg/NHWx/HIcT/t9kuiqxcI
        o0lGJ6VvAqNTMFEwHQYDVR0OBBYEFFzrcWZn590HcsxZRSETx0DZN7C9MB8GA1Ud
        IwQYMBaAFFzrcWZn590HcsxZRSETx0DZN7C9MA8GA1UdEwEB/wQFMAMBAf8wCgYI
        KoZIzj0EAwIDSAAwRQIhAOq/SCFWyTzfdUwaS9fJsfgtVWWjofOPPfigq40bVdt8
        AiAYPbEu+69GCLTQBjxY/cSfiD3MtXnLHDORjM3Dz+BBSw==
        -----END CERTIFICATE-----
        """

    /// Issued by `ca`: RSA 2048, an authority.
    static let issuing = """
        -----BEGIN CERTIFICATE-----
        MIIChjCCAiygAwIBAgIBAjAKBggqhkjOPQQDAjAuMQswCQYDVQQGEwJERTENMAsG
        A1UECgwEQ29ycDEQMA4GA1UEAwwHQ29ycCBDQTAeFw0yNjExMjkyMzM4MDNaFw00
        NjAxMjgyMzM4MDNaMDsxDTALBgNVBAoMBENvcnAxEDAOBgNVBAsMB0lzc3Vpbmcx
        GDAWBgNVBAMMD0NvcnAgSXNzdWluZyBDQTCCASIwDQYJKoZIhvcNAQEBBQADggEP
        ADCCAQoCggEBAI+D5v7axBEL3+AmbuoVhVpruZyg8PLYovuGL1gzqDtwjX5+xBPq
        k7h1In8linN9+6RC/MYP6mImbeWPe6jKF+XacwQynf2uo1yzmJpXbOsCeC+LHPeO
        jMhCD14ZCENiO3w+4z0CThb+jm2XyEX/WvodngxX9Br8cdKG7BN153l0q9RMLs/w
        MkTcw9hG2z/dYyUAXd8stDmETW267EWWWM5T2sFLMH6gZhxqCFJ+L1TYLwJeHd5Z
        YF7wbwAo9ArVk8zZmU1CkAkFEErqUEfZ69deBpiSF4Lc09byXEEdCr8LqtbQesYc
        7yWXrpQrisWiyLFqHCiAbxHpglruXipyAKMCAwEAAaNjMGEwEgYDVR0TAQH/BAgw
        BgEB/wIBADALBgNVHQ8EBAMCAgQwHQYDVR0OBBYEFAWFfHHASpgkin4ub1Q508zY
        3aKxMB8GA1UdIwQYMBaAFFzrcWZn590HcsxZRSETx0DZN7C9MAoGCCqGSM49BAMC
        A0gAMEUCIACz4KVRlzIFFFDQsCrctmmC2D+q0I6LYpa5U9NmLcphAiEA1v4CEYia
        3fIcLs9ytdovk7s8SnzGuNTg8q/k/Wa29XE=
        -----END CERTIFICATE-----
        """

    /// Issued by `issuing`: EC P-384, a SAN of all kinds.
    static let leaf = """
        -----BEGIN CERTIFICATE-----
        MIIDEzCCAfugAwIBAgIBAzANBgkqhkiG9w0BAQsFADA7MQ0wCwYDVQQKDARDb3Jw
        MRAwDgYDVQQLDAdJc3N1aW5nMRgwFgYDVQQDDA9Db3JwIElzc3VpbmcgQ0EwHhcN
        MjYxMTI5MjMzODAzWhcNNDMwNTA0MjMzODAzWjAqMQ0wCwYDVQQKDARDb3JwMRkw
        FwYDVQQDDBBhcHAuY29ycC5leGFtcGxlMHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE
        +29VVh7+/Uq1igeQRJRH3+h9PwkSFfr0mHEo9nYGOFxBknYpYOo6r/K+H3Jdqm9R
        oiYQnk59gj5Rk1yAtZzHTJjTiQZbwTZUgpOP64zm2VacIM69sPHf0Iz3NFOSjYfh
        o4HgMIHdMAkGA1UdEwQCMAAwgY8GA1UdEQSBhzCBhIIQYXBwLmNvcnAuZXhhbXBs
        ZYITKi5hcHBzLmNvcnAuZXhhbXBsZYcEwAACB4cQIAENuAAAAAAAAAAAAAAAB4EQ
        b3BzQGNvcnAuZXhhbXBsZYYZc3BpZmZlOi8vY29ycC5leGFtcGxlL2FwcKQWMBQx
        EjAQBgNVBAMMCURpcmVjdG9yeTAdBgNVHQ4EFgQUsV3yl4CectyYivku4Wr3ZNan
        mfgwHwYDVR0jBBgwFoAUBYV8ccBKmCSKfi5vVDnTzNjdorEwDQYJKoZIhvcNAQEL
        BQADggEBAHvNrOmwH7i9/3mScvRpXB2z1wwtTfadE6YEAUofTz8qJF4fPz5vhntb
        CTsOV6QLyzsIATLXBk4xwJvvGJ7YEf9YVmONsrpT/es0QBjDh+J1ULmPgPX+Lylc
        zZdEJorFpz9q2vb0jjNR/jVjyrwhRNLOmZW0z2Esjl5qJXvkXOsAzIraj4AFJpUV
        ww56ZGuH/3rlhciVm8mXEmvNjvvLRwPlVWVq/YjLzxD/i8iZSqeZUN3qm3eHz8qy
        3Ft3k9qhJ4c30Y90Ufhza3wM2Sqw4191uRHJb+10D6r/OSDuDcCc6cDKF6it8BYp
        YwXiSIrr/NIzM6Y3xUp9EQI4Dq9R9r0=
        -----END CERTIFICATE-----
        """

    /// Ed25519, CN=old.corp.example, no SAN, no authority.
    static let withoutSAN = """
        -----BEGIN CERTIFICATE-----
        MIIBNDCB56ADAgECAgEEMAUGAytlcDAbMRkwFwYDVQQDDBBvbGQuY29ycC5leGFt
        cGxlMB4XDTI2MTEyOTIzMzgwM1oXDTM2MTEyNjIzMzgwM1owGzEZMBcGA1UEAwwQ
        b2xkLmNvcnAuZXhhbXBsZTAqMAUGAytlcAMhAJGHqKbzrqj+TufHx8ypNu43C3om
        0V3CaD2wwhNwh4CNo1AwTjAdBgNVHQ4EFgQUh1qOpTcp1uqemcMm4TXf+QiUcJ0w
        HwYDVR0jBBgwFoAUh1qOpTcp1uqemcMm4TXf+QiUcJ0wDAYDVR0TAQH/BAIwADAF
        BgMrZXADQQDFUU5sampr3uYI5U4dFPo9NQLPSmnjf2UfuyJoLQs8SdlhFNozh1eS
        JPdm6KHB2fp/Sxh3d28noFR+NKvPfL4A
        -----END CERTIFICATE-----
        """

    /// EC P-521, `Müller, Söhne` and a multi-valued RDN, UTF8String.
    static let multiValued = """
        -----BEGIN CERTIFICATE-----
        MIICezCCAd2gAwIBAgIBBTAKBggqhkjOPQQDAjBZMQswCQYDVQQGEwJERTEYMBYG
        A1UECgwPTcO8bGxlciwgU8O2aG5lMTAwCAYDVQQLDAFBMA8GCgmSJomT8ixkAQEM
        ATcwEwYDVQQDDAxad2VpZytTdGVsbGUwHhcNMjYxMTI5MjMzODAzWhcNMzYxMTI2
        MjMzODAzWjBZMQswCQYDVQQGEwJERTEYMBYGA1UECgwPTcO8bGxlciwgU8O2aG5l
        MTAwCAYDVQQLDAFBMA8GCgmSJomT8ixkAQEMATcwEwYDVQQDDAxad2VpZytTdGVs
        bGUwgZswEAYHKoZIzj0CAQYFK4EEACMDgYYABAEH0VeQ7XP36k9Zn8xmKQE6JmgP
        ++XjdPdUE/zP+uWT6lNZW23Ejz3Mwdr6AsFxPrXn/VdJeZKWW7hNby7QjXTHkQGb
        0IiJME1v/kFz3J1Fa/YGH3mNNuu3nyzziSYqF//0CAufdCF5p8VJmYJd+ntW/5VG
        1wxvRFrWkhOtTWNkjYDX46NTMFEwHQYDVR0OBBYEFC+puNMzvR5vPIJMUpa7bACz
        ZfyCMB8GA1UdIwQYMBaAFC+puNMzvR5vPIJMUpa7bACzZfyCMA8GA1UdEwEB/wQF
        MAMBAf8wCgYIKoZIzj0EAwIDgYsAMIGHAkEGv3wRKdttmd5JcAGCqVNt+HTI1JDQ
        FkvPIYcPRBkcJDjARbSLIHWWqSFlDoyyiz5SPTroZdKtHuiWh6SGs994rAJCAJpV
        KZDsSiITO8Y/0WNaRWCTAyeHE1aSU6Y9S8PsEyXf+a0PdGjJCUAI+7yQbrQLFAGU
        pDgzsc9p6piudJcPzjMi
        -----END CERTIFICATE-----
        """

    /// Ed25519, version 1, names as BMPString, one of them Greek.
    static let bmp = """
        -----BEGIN CERTIFICATE-----
        MIIBEzCBxgIBBjAFBgMrZXAwNjEZMBcGA1UECh4QA5UDuwO7A7cDvQO5A7oDrDEZ
        MBcGA1UEAx4QAEMAbwByAHAAIABCAE0AUDAeFw0yNjExMjkyMzM4MDNaFw0zNjEx
        MjYyMzM4MDNaMDYxGTAXBgNVBAoeEAOVA7sDuwO3A70DuQO6A6wxGTAXBgNVBAMe
        EABDAG8AcgBwACAAQgBNAFAwKjAFBgMrZXADIQBS22KYnrS227JmYm/Ah70EngZR
        Lyfm61wV2DFKh+/j+DAFBgMrZXADQQBn6qTB4iVWDUOdExuEI7juvuZX1uOVUipA
        2sKd6uaCas0VHUebzAeMo5nZjWSoHI0VsIE0RnUXmeEAb01l/IgA
        -----END CERTIFICATE-----
        """

    /// RSA 1024, version 1, names as PrintableString.
    static let printable = """
        -----BEGIN CERTIFICATE-----
        MIIB2TCCAUICAQcwDQYJKoZIhvcNAQELBQAwNTEXMBUGA1UEChMOUHJpbnRhYmxl
        IENvcnAxGjAYBgNVBAMTEXByaW50YWJsZS5leGFtcGxlMB4XDTI2MTEyOTIzMzgw
        M1oXDTM2MTEyNjIzMzgwM1owNTEXMBUGA1UEChMOUHJpbnRhYmxlIENvcnAxGjAY
        BgNVBAMTEXByaW50YWJsZS5leGFtcGxlMIGfMA0GCSqGSIb3DQEBAQUAA4GNADCB
        iQKBgQD8PlCce2QECl9hVJSxvsuSI1Uo5uVFhCUNKZJrfsJPK8dU3CJmn0xmP9/U
        1Wh4czH5z+oR62eTbjA6zFSbtcsTYEuMm10ArHCAUc5d+OPjmMsGc9AIRWoBjPYS
        Jt3dy1EnkPf0pK7yizt0+BwwPN4OOUu4oaKYeeAkVVmpJ6NepwIDAQABMA0GCSqG
        SIb3DQEBCwUAA4GBALRr2/12LuHZMiiP2NOK6xdhadyeMkm7nrM7Jbv7MjWjWb2/
        ss2nyA/PRAtGtD0BOTQeFiarE6oALD5qHepCtH3bu3ymqAy5WHVtS44difPW6GRN
        j8ZGbPLlpwa66ZZ0D6J+GvLPCbm1XbYFHFdXXDd4MUh7Vw2qruA0rdkiXWCm
        -----END CERTIFICATE-----
        """

    /// An authority without relation to the others.
    static let other = """
        -----BEGIN CERTIFICATE-----
        MIIBRzCB+qADAgECAgEIMAUGAytlcDAjMQ4wDAYDVQQKDAVPdGhlcjERMA8GA1UE
        AwwIT3RoZXIgQ0EwHhcNMjYxMTI5MjMzODE0WhcNMzYxMTI2MjMzODE0WjAjMQ4w
        DAYDVQQKDAVPdGhlcjERMA8GA1UEAwwIT3RoZXIgQ0EwKjAFBgMrZXADIQC5WZy3
        sm+/mTEizUIp9I8UTsxB92YWtVJDqj8crsbEnqNTMFEwHQYDVR0OBBYEFIeY69Np
        za3W33BQnbca2oznxp4LMB8GA1UdIwQYMBaAFIeY69Npza3W33BQnbca2oznxp4L
        MA8GA1UdEwEB/wQFMAMBAf8wBQYDK2VwA0EAP9Bsob//+WoniF6rXO3ic62q+oMp
        dmTjmREaj5AL3BdU4ybBtZojNcMM3nenR/TsYPEwtk8902Skwl0bR34JDw==
        -----END CERTIFICATE-----
        """

    /// 1998-01-02 03:04:05 to 1999-12-31 23:59:59, both UTCTime.
    static let expired1999 = """
        -----BEGIN CERTIFICATE-----
        MIHGMHoCARAwBQYDK2VwMBAxDjAMBgNVBAMMBXRpbWVzMB4XDTk4MDEwMjAzMDQw
        NVoXDTk5MTIzMTIzNTk1OVowEDEOMAwGA1UEAwwFdGltZXMwKjAFBgMrZXADIQCl
        YOOu9ax17bLIyZA2eptBP63DSZeVYt1kGX8loRqpUjAFBgMrZXADQQCqKidyTh1/
        yvGUjMvYjkcXENJU4gsf2XNVqeyK3jlgctmUrSD3WPGAVca6FfMVieZyutxT9Xok
        6fH89wkmgxQB
        -----END CERTIFICATE-----
        """

    /// 2049-12-31 23:59:59 as UTCTime to one second later as GeneralizedTime.
    static let turn2050 = """
        -----BEGIN CERTIFICATE-----
        MIHIMHwCAREwBQYDK2VwMBAxDjAMBgNVBAMMBXRpbWVzMCAXDTQ5MTIzMTIzNTk1
        OVoYDzIwNTAwMTAxMDAwMDAwWjAQMQ4wDAYDVQQDDAV0aW1lczAqMAUGAytlcAMh
        AKVg4671rHXtssjJkDZ6m0E/rcNJl5Vi3WQZfyWhGqlSMAUGAytlcANBAF8ERmSO
        YFMHLdRUrWhmMxO5WI7H0/r+3CaTNyw3nw9+dgehVHa7HzeJwlhQtGYPRqERRnQ+
        BmCWuJpcWmwgagU=
        -----END CERTIFICATE-----
        """

    /// 1950 as UTCTime to 9999-12-31 23:59:59 as GeneralizedTime.
    static let unending = """
        -----BEGIN CERTIFICATE-----
        MIHIMHwCARIwBQYDK2VwMBAxDjAMBgNVBAMMBXRpbWVzMCAXDTUwMDEwMTAwMDAw
        MFoYDzk5OTkxMjMxMjM1OTU5WjAQMQ4wDAYDVQQDDAV0aW1lczAqMAUGAytlcAMh
        AKVg4671rHXtssjJkDZ6m0E/rcNJl5Vi3WQZfyWhGqlSMAUGAytlcANBAPxvHFxt
        FcAC9GLGCKwC9E680JvZIXBXKGRQALLYs4g/uRGTC79JM3egUR7Z/2z+acSJwd8K
        Hlf1LtbUF0AoOAA=
        -----END CERTIFICATE-----
        """
}
