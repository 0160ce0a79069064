//! `get_eks_vpc_config`.

use serde_json::{Value, json};

use super::account::{Account, Answer, Asked, found, not_found};

fn cluster() -> Value {
    json!({
        "name": "prod", "arn": "arn:aws:eks:eu-west-1:111122223333:cluster/prod", "status": "ACTIVE",
        "resourcesVpcConfig": {
            "vpcId": "vpc-1", "subnetIds": ["subnet-a", "subnet-b"], "securityGroupIds": ["sg-add"],
            "clusterSecurityGroupId": "sg-own", "endpointPublicAccess": true, "publicAccessCidrs": ["0.0.0.0/0"],
        },
        "kubernetesNetworkConfig": { "serviceIpv4Cidr": "172.20.0.0/16" },
        "remoteNetworkConfig": { "remoteNodeNetworks": [{ "cidrs": ["192.168.0.0/24", "192.168.0.0/24"] }] },
    })
}

fn xml(list: &str, items: &str) -> Answer {
    (200, format!("<Response><{list}>{items}</{list}></Response>"))
}

const VPC: &str = "<item><vpcId>vpc-1</vpcId><cidrBlock>10.0.0.0/16</cidrBlock><cidrBlockAssociationSet>\
    <item><cidrBlock>10.0.0.0/16</cidrBlock><cidrBlockState><state>associated</state></cidrBlockState></item>\
    <item><cidrBlock>100.64.0.0/16</cidrBlock><cidrBlockState><state>associated</state></cidrBlockState></item>\
    <item><cidrBlock>10.9.0.0/16</cidrBlock><cidrBlockState><state>disassociated</state></cidrBlockState></item>\
    </cidrBlockAssociationSet></item>";
const TABLES: &str = "<item><routeTableId>rtb-main</routeTableId><associationSet><item><main>true</main></item>\
    </associationSet><routeSet><item><destinationCidrBlock>10.0.0.0/16</destinationCidrBlock><gatewayId>local</gatewayId>\
    <state>active</state></item></routeSet></item>\
    <item><routeTableId>rtb-pub</routeTableId><associationSet><item><main>false</main><subnetId>subnet-a</subnetId></item>\
    </associationSet><routeSet><item><destinationCidrBlock>0.0.0.0/0</destinationCidrBlock><gatewayId>igw-1</gatewayId>\
    <state>active</state></item><item><destinationCidrBlock>10.8.0.0/16</destinationCidrBlock>\
    <vpcPeeringConnectionId>pcx-1</vpcPeeringConnectionId><state>blackhole</state></item></routeSet></item>";
const GROUPS: &str = "<item><groupId>sg-own</groupId><groupName>eks-cluster-sg</groupName><ipPermissions><item>\
    <ipProtocol>-1</ipProtocol><groups><item><groupId>sg-own</groupId></item></groups></item></ipPermissions>\
    <ipPermissionsEgress/></item><item><groupId>sg-add</groupId><groupName>more</groupName><ipPermissions><item>\
    <ipProtocol>tcp</ipProtocol><fromPort>443</fromPort><toPort>443</toPort><ipRanges><item><cidrIp>10.0.0.0/16</cidrIp>\
    </item></ipRanges></item></ipPermissions></item>";

fn subnet(id: &str, zone: &str, free: u32, tag: &str) -> String {
    format!(
        "<item><subnetId>{id}</subnetId><cidrBlock>10.0.0.0/24</cidrBlock><availabilityZone>eu-west-1{zone}</availabilityZone>\
         <availabilityZoneId>euw1-az1</availabilityZoneId><availableIpAddressCount>{free}</availableIpAddressCount>\
         <mapPublicIpOnLaunch>false</mapPublicIpOnLaunch><tagSet><item><key>{tag}</key><value>1</value></item></tagSet></item>"
    )
}

fn answer(asked: &Asked) -> Answer {
    match asked.action() {
        "" if asked.path == "/clusters/prod" => found(&json!({ "cluster": cluster() })),
        "" => not_found("no"),
        "DescribeVpcs" if asked.parameter("VpcId.1") != "vpc-1" => (
            400,
            "<Response><Errors><Error><Code>InvalidVpcID.NotFound</Code><Message>no</Message></Error></Errors></Response>"
                .to_owned(),
        ),
        "DescribeVpcs" => xml("vpcSet", VPC),
        "DescribeSubnets" => {
            let subnets = [
                subnet("subnet-a", "a", 250, "kubernetes.io/role/elb"),
                subnet("subnet-b", "b", 3, "Name"),
                subnet("subnet-c", "c", 20, "Name"),
            ];
            xml("subnetSet", &subnets.concat())
        }
        "DescribeRouteTables" => xml("routeTableSet", TABLES),
        "DescribeSecurityGroups" => xml("securityGroupInfo", GROUPS),
        "DescribeInternetGateways" => {
            xml("internetGatewaySet", "<item><internetGatewayId>igw-1</internetGatewayId></item>")
        }
        "DescribeVpcEndpoints" => {
            let service = "<serviceName>com.amazonaws.eu-west-1.s3</serviceName>";
            xml("vpcEndpointSet", &format!("<item><vpcEndpointId>vpce-1</vpcEndpointId>{service}</item>"))
        }
        _ => (
            403,
            "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>no</Message></Error></Errors></Response>"
                .to_owned(),
        ),
    }
}

#[tokio::test]
async fn the_network_of_a_cluster_is_shown_with_what_may_be_wrong() {
    let account = Account::start(answer).await;
    let outcome = account.call("get_eks_vpc_config", json!({ "cluster_name": "prod" })).await;
    insta::assert_snapshot!(outcome.text, @"
    Network of prod
    VPC: vpc-1 10.0.0.0/16
    Further ranges: 100.64.0.0/16
    Services: 172.20.0.0/16
    API server: public for 0.0.0.0/0
    Internet gateways: igw-1
    Remote nodes: 192.168.0.0/24

    Notes
    - subnet-b has 3 free addresses, fewer than 16: upgrades of the control plane, new nodes and pods there may fail
    - the route to 10.8.0.0/16 in rtb-pub is a blackhole: pcx-1 is gone, and what is sent there is lost
    - subnet-b has no route to the internet, and the VPC has no endpoint for ecr.api, ecr.dkr, sts, ec2: nodes there may not start or pull images
    - no private subnet has the tag kubernetes.io/role/internal-elb: internal load balancers may find no subnet
    - no route leads to the remote network 192.168.0.0/24: the control plane cannot reach hybrid nodes or pods there
    - the API server can be reached from everywhere (publicAccessCidrs has 0.0.0.0/0)

    Could not be read
    - the AWS identity of this server may not do ec2:DescribeNatGateways: allow ec2:DescribeNatGateways in its IAM policy, or pass a role_arn that may. AWS says: no

    Subnets
    SUBNET     NAME     ZONE                    CIDR          FREE   PUBLIC   ROUTE TABLE       CLUSTER   TAGS
    subnet-a   <none>   eu-west-1a (euw1-az1)   10.0.0.0/24   250    yes      rtb-pub           yes       kubernetes.io/role/elb=1
    subnet-b   1        eu-west-1b (euw1-az1)   10.0.0.0/24   3      no       rtb-main (main)   yes       <none>
    subnet-c   1        eu-west-1c (euw1-az1)   10.0.0.0/24   20     no       rtb-main (main)   no        <none>

    Routes
    TABLE             DESTINATION   TARGET   STATE
    rtb-main (main)   10.0.0.0/16   local    active
    rtb-pub           0.0.0.0/0     igw-1    active
    rtb-pub           10.8.0.0/16   pcx-1    blackhole

    Security groups of the control plane
    GROUP    ROLE         WAY       PROTOCOL   PORTS   PEERS
    sg-own   cluster      inbound   all        all     sg-own
    sg-add   additional   inbound   tcp        443     10.0.0.0/16

    VPC endpoints
    ENDPOINT   SERVICE                      TYPE     STATE
    vpce-1     com.amazonaws.eu-west-1.s3   <none>   <none>
    ");
    let asked = account.asked();
    let groups = asked.iter().find(|asked| asked.action() == "DescribeSecurityGroups").unwrap();
    assert_eq!([groups.parameter("GroupId.1"), groups.parameter("GroupId.2")], ["sg-add", "sg-own"]);
}

#[tokio::test]
async fn a_subnet_goes_by_its_own_routes_or_by_the_main_ones() {
    let outcome =
        Account::start(answer).await.call("get_eks_vpc_config", json!({ "cluster_name": "prod" })).await;
    let subnets = outcome.structured["subnets"].as_array().unwrap().clone();
    let of = |member: &str| subnets.iter().map(|subnet| subnet[member].clone()).collect::<Vec<_>>();
    assert_eq!(of("subnetId"), ["subnet-a", "subnet-b", "subnet-c"]);
    assert_eq!(of("routeTableId"), ["rtb-pub", "rtb-main", "rtb-main"]);
    assert_eq!(of("public"), [true, false, false]);
    assert_eq!(of("ofCluster"), [true, true, false]);
    assert_eq!(outcome.structured["additionalCidrBlocks"], json!(["100.64.0.0/16"]));
    assert_eq!(outcome.structured["remoteNodeCidrBlocks"], json!(["192.168.0.0/24"]));
}

#[tokio::test]
async fn a_vpc_that_is_not_there_is_told_as_that() {
    let given = json!({ "cluster_name": "prod", "vpc_id": "vpc-9" });
    let outcome = Account::start(answer).await.call("get_eks_vpc_config", given).await;
    assert_eq!(outcome.text, "there is no VPC \"vpc-9\" in eu-west-1: check vpc_id and region");
}
