import Testing
import TunnelServer

@Suite struct StatsReportTests {
    @Test func everythingHasTheKeysOfTheGoProgram() {
        let report = StatsReport(
            maximumWaiting: 20, maximumClients: 1,
            tunnels: [
                StatsReport.Tunnel(
                    tokenHint: "my_token...", pending: 0, clients: 1, lastCaller: "192.0.2.7",
                    session: .init(
                        address: "192.168.1.100", name: "client.example.com", software: "wstunnel 1.1",
                        idle: .milliseconds(5260))),
                StatsReport.Tunnel(
                    tokenHint: "another_...", pending: 2, clients: 1, lastCaller: "192.0.2.8",
                    session: .init(
                        address: "10.0.0.5", name: nil, software: "line\nbreak\u{9b}\u{202e}",
                        idle: .seconds(120))),
                StatsReport.Tunnel(
                    tokenHint: "gone_tok...", pending: 1, clients: 0, lastCaller: "192.0.2.9", session: nil),
                StatsReport.Tunnel(
                    tokenHint: "just_now...", pending: 0, clients: 0, lastCaller: "",
                    session: .init(
                        address: "10.0.0.6:4711", name: nil, software: "", idle: .seconds(60))),
            ])
        #expect(
            report.text == """
                tunnels=4
                max_requests_per_tunnel=20
                max_clients_per_token=1
                token_clients_my_token...=1
                token_clients_another_...=1
                total_clients=2

                tunnel00_token=my_token...
                tunnel00_req_pending=0
                tunnel00_tun_addr=192.168.1.100
                tunnel00_tun_dns=client.example.com
                tunnel00_client_version=wstunnel 1.1
                tunnel00_idle_secs=5.2

                tunnel01_token=another_...
                tunnel01_req_pending=2
                tunnel01_tun_addr=10.0.0.5
                tunnel01_client_version=line?break??
                tunnel01_idle_secs=120.0
                tunnel01_cli_addr=192.0.2.8

                tunnel02_token=gone_tok...
                tunnel02_req_pending=1
                tunnel02_idle_secs=NaN
                tunnel02_cli_addr=192.0.2.9

                tunnel03_token=just_now...
                tunnel03_req_pending=0
                tunnel03_tun_addr=10.0.0.6:4711
                tunnel03_idle_secs=60.0

                req_pending=3
                dead_tunnels=2

                """)
    }

    @Test func withoutALimitOnClientsTheyAreNotCountedByToken() {
        let report = StatsReport(maximumWaiting: 5, maximumClients: nil, tunnels: [])
        #expect(
            report.text == """
                tunnels=0
                max_requests_per_tunnel=5
                max_clients_per_token=0

                req_pending=0
                dead_tunnels=0

                """)
    }

    @Test func othersLearnHowManyTunnelsThereAre() {
        #expect(
            StatsReport.brief(tunnels: 7)
                == "tunnels=7\nMore stats available when called from localhost...\n")
    }
}
