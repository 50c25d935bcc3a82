import type { Examples } from '@postern/terminal/dress-commands';

const agent = '--token=/etc/teleport/token --proxy=teleport.example.com:443 --name=example-dynamodb --protocol=dynamodb';
const aws = '--aws-region=us-east-1 --aws-account-id=123456789012';

const appAgent = '--token=/tmp/token --proxy=teleport.example.com:443 --name=aws --uri=https://console.aws.amazon.com/console/home';

export const examples: Examples = {
  start: ['teleport start -c /etc/teleport.yaml', 'teleport start -c /etc/teleport.yaml --diag-addr=127.0.0.1:3000'],
  configure: ['teleport configure --public-addr=teleport.example.com:443 > /etc/teleport.yaml'],
  'db configure create': [`teleport db configure create ${agent} ${aws} --output=file:///etc/teleport.yaml`],
  'db start': [`teleport db start ${agent} ${aws}`],
  'app configure create': [`teleport app configure create ${appAgent} --output=file:///etc/teleport.yaml`],
  'app start': [`teleport app start ${appAgent}`],
  'install systemd': ['teleport install systemd -o /etc/systemd/system/teleport.service'],
  version: ['teleport version'],
};
