/// The listener of the admin API.
package struct AdminConfiguration: Hashable, Sendable {
    /// Address or host name to bind, IPv6 without brackets.
    package var host: String
    /// 0…65535; 0 lets the kernel choose.
    package var port: Int
    /// What requests bring (`Authorization: Bearer …`) that may do everything; nil: nobody may. Of the three tokens one is
    /// there at least, and no two are alike.
    package var token: Secret?
    /// Of those that may change what the agent does until it is changed again.
    package var operateToken: Secret?
    /// Of those that may see what the agent is and does.
    package var lookToken: Secret?
    /// `hosts`: names by which it is asked, in lower case, `*.` in front for any one label.
    package var names: Set<String>
    /// Nil: plain HTTP.
    package var tls: ListenerTLS?
    /// Names of certificates, in lower case, of which who asks has to show one; empty: any that `client-ca` vouches for.
    package var clientNames: Set<NameGlob>

    package init(
        host: String, port: Int, token: Secret? = nil, operateToken: Secret? = nil, lookToken: Secret? = nil,
        names: Set<String> = [], tls: ListenerTLS? = nil, clientNames: Set<NameGlob> = []
    ) {
        self.host = host
        self.port = port
        self.token = token
        self.operateToken = operateToken
        self.lookToken = lookToken
        self.names = names
        self.tls = tls
        self.clientNames = clientNames
    }
}
