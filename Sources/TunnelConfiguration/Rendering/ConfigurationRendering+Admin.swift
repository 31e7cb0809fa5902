extension ConfigurationRendering {
    static func write(_ admin: AdminConfiguration, to text: inout ConfigurationText) {
        text.line(0, "\(Keys.admin.name):")
        text.entry(2, Keys.listen, text: ListenAddress(host: admin.host, port: admin.port).description)
        if admin.token != nil { text.secret(2, Keys.token.literal) }
        if admin.operateToken != nil { text.secret(2, Keys.operateToken.literal) }
        if admin.lookToken != nil { text.secret(2, Keys.lookToken.literal) }
        text.texts(2, Keys.adminHosts, Array(admin.names))
        guard let tls = admin.tls else { return }
        text.line(2, "\(Keys.adminTLS.name):")
        writeCertificates(tls, 4, to: &text)
        text.texts(4, TLSKeys.adminClientNames, admin.clientNames.map(\.text))
        text.entry(4, TLSKeys.minimumVersion, text: tls.minimumVersion.rawValue)
    }
}
