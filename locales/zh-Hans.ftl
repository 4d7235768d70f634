### 窗口对来访者说的话（简体中文）。

language-name = 简体中文
languages = 语言
demo = 演示
steps = 步骤
step-scan = 扫码
step-shape = 塑造
step-meet = 见面

waking-title = 请稍候
waking-line = 舞台马上就好。
lost-retry = 重试

attract-title = 遇见你自己
attract-line = 扫一扫，用手机拍下你的脸，在这里遇见你的虚拟形象。
attract-start = 开始
attract-any =
    { $device ->
        [gamepad] 按任意键也可以开始
        [keyboard] 按任意键也可以开始
        [touch] 轻触任意位置也可以开始
       *[pointer] 点击任意位置也可以开始
    }

closed-until = 下次开放：{ $when }
closed-staff =
    { $device ->
        [gamepad] 工作人员：同时按住 Start 和 Select，即可打开设置。
        [keyboard] 工作人员：按 F10 打开设置。
        [touch] 工作人员：轻触屏幕左上角五次，即可打开设置。
       *[pointer] 工作人员：按 F10，或轻触屏幕左上角五次，即可打开设置。
    }

consent-title = 开始之前
consent-agree = 同意
consent-more = 继续阅读
consent-not-now = 暂时不要
consent-onward = 再选择
consent-other-language = 这段文字没有中文版，以下为{ $language }。

preparing-title = 请稍候
preparing-line = 正在为你准备专属二维码。
invite-title = 用手机扫一扫
invite-demo-title = 看看怎么玩
invite-demo-line = 这个演示不需要用你的手机。
invite-demo-step-1 = 手机扫描二维码。
invite-demo-step-2 = 手机拍下一张脸。
invite-demo-step-3 = 虚拟形象出现在这里。
invite-step-1 = 用手机相机对准二维码。
invite-step-2 = 拍下你的脸，或选择已有的虚拟形象。
invite-step-3 = 抬头看这里，遇见你的虚拟形象。
invite-qr = 用手机扫描的二维码
invite-no-camera = 没有相机？在手机上打开：
invite-time-left = 二维码有效时间还剩 { $clock }
invite-new-code = 换一个码
invite-play-phone = 播放演示
invite-open-phone = 不用手机试试

making-found-title = 找到你了！
making-found-line = 手机已连接，请看这里。
making-found-line-demo = 演示手机已连接，请看这里。
making-queue-title = 你正在排队
making-queue-line = 你的录像已收到。请别走远。
making-queue-next = 下一个就是你！
making-queue-place = 你排在第 { $place } 位
making-processing-title = 正在塑造你的虚拟形象
making-processing-line = 一点一点，越来越像你。
making-failed-title = 这段录像不能用
making-failed-line = 这很常见。面向光线，保持不动，扫码再试一次。
making-failed-line-demo = 这很常见，请再播放一次演示。
making-unknown-title = 你的虚拟形象正在路上
making-unknown-line = 请别走远，你的虚拟形象会出现在这里。
making-left = 大约还需 { $time }
making-left-soon = 只剩几秒了
making-turn = 大约 { $time }后轮到你
making-turn-soon = 马上轮到你
making-stalled = 比平时久一些，仍在进行。
making-queue-stalled = 队伍暂时没有前进，你的位置不变。

lanes-next = 领取件票
lanes-next-line = 不用在这里等。领一张取件票，虚拟形象做好后再来。
lanes-next-automatic = 马上会给你一张取件票。虚拟形象做好后再来。
lanes-full = 取件票暂时发完了，你的虚拟形象会留在这块屏幕上。
ticket-name =
    { $colour ->
            [blue] 蓝色
            [red] 红色
            [green] 绿色
            [yellow] 黄色
            [orange] 橙色
            [purple] 紫色
            [pink] 粉色
           *[white] 白色
        }{ $symbol ->
            [comet] 彗星
            [moon] 月亮
            [anchor] 船锚
            [bell] 铃铛
            [kite] 风筝
            [key] 钥匙
            [leaf] 叶子
            [crown] 皇冠
            [rocket] 火箭
            [cloud] 云朵
            [feather] 羽毛
           *[mountain] 高山
        }
ticket-title = 你的取件票
ticket-line = 请拍张照。虚拟形象做好后，在这里选择你的取件票并输入取件码。
ticket-on-phone = 手机上也能看到。
ticket-code = 取件码
ticket-done = 知道了
tickets = 取件票
tickets-ready = 可以取件
tickets-making = 制作中
ticket-being-made = { $name }：制作中
ticket-being-recorded = { $name }：录制中
ticket-announced = { $name }已经做好了！
pickup-title = 请输入取件码
pickup-line = { $name }：取件票上的四位数字。
pickup-making-title = 还差一点
pickup-making-line = { $name }还在制作中，请稍后再来。
pickup-closed-title = 这张取件票已失效
pickup-closed-line = 请联系工作人员。
pickup-wrong =
    取件码不对。 { $tries ->
           *[other] 还可以试 { $tries } 次。
        }
pickup-blocked = 输错次数太多，请等待 { $clock }。
pickup-checking = 请稍候……
pickup-forgotten = 忘了取件码？工作人员可以帮你打开。
pickup-keys = 数字
pickup-delete = 删除最后一位
pickup-entered =
    { $count ->
       *[other] 已输入 { $count } 位
    }

saving-title = 马上就好
saving-line = 你的虚拟形象已完成，正在来到这块屏幕。
saving-stalled = 网络现在有点慢，会自动继续。

gate-title = 你的虚拟形象已完成
gate-line = 是你的吗？看看吧。在那之前什么都不会显示。
gate-show = 给我看看
gate-not-mine = 不是我的

reveal-title = 这就是你
reveal-title-portrait = 你的肖像
reveal-title-card = 你的虚拟形象已保存
reveal-turn =
    { $device ->
        [touch] 滑动即可转动。
       *[pointer] 拖动即可转动。
    }
reveal-lighting = 正在打开灯光……
reveal-canvas = 你的虚拟形象，在灯光下转动
reveal-portrait = 你的虚拟形象肖像
reveal-me = 就用这个形象
reveal-again = 再试一次
reveal-delete = 删除我的形象
reveal-faces = 做个表情
reveal-welcome-title = 很高兴认识你
reveal-welcome-line = 你的虚拟形象已保存。游戏从这里开始，主角就是你。
reveal-welcome-line-unsaved = 游戏从这里开始，主角就是你。
reveal-finish = 完成
face-smile = 微笑
face-wink = 眨眼
face-surprise = 惊讶
face-kiss = 亲亲
face-frown = 生气

keep-for-ever = 你的虚拟形象会一直保存在这台设备上。
keep-while-here = 你离开后，你的虚拟形象会从这台设备上删除。
keep-until-finished = 你完成或再试一次时，你的虚拟形象会被删除。
keep-hours = { $count } 小时后，你的虚拟形象会从这台设备上删除。
keep-days = { $count } 天后，你的虚拟形象会从这台设备上删除。
forget-me = 删除我的数据
forget-title = 全部删除吗？
forget-ask = 这次体验的文件和记录将从这台设备上删除，无法恢复。
forget-keep = 保留
forget-yes = 是的，删除
forgetting-title = 正在删除……
forgetting-line = 正在删除这次体验的文件和记录。
forgotten-title = 已删除
forgotten-line = 这里不再保存你的任何数据。
forget-failed-title = 有些内容没能删除
forget-failed-line = 请告诉工作人员，他们可以删除剩下的内容。

ended-again = 重新开始

leave-back = 返回
leave-title = 现在离开吗？
leave-ask = 你的虚拟形象不会再显示在这里。
leave-ask-making = 你的虚拟形象仍会完成，但不会再显示在这里。
leave-ask-failed = 这个码将不能再用。
leave-stay = 留下
leave-leave = 离开
leave-delete = 离开并删除
idle-title = 你还在吗？
idle-line = { $seconds } 秒后清空屏幕，留给下一位。
idle-line-unsaved = { $seconds } 秒后清空屏幕，并删除你的虚拟形象。
idle-stay = 我在
idle-leave = 立即清空
idle-spoken = 你还在吗？屏幕即将清空，留给下一位。
idle-spoken-unsaved = 你还在吗？屏幕即将清空，你的虚拟形象也会删除。

hint-choose = 确定
hint-back = 返回
hint-language = 语言
hint-turn = 转动

problem-saved = 你的虚拟形象来了
    .do = 快来看看。
problem-saved-in-part = 你的虚拟形象有一部分没有收到
    .do = 换一个新码重新开始，就能拿到完整的。
problem-credentials-refused = 这台设备还没有设置好
    .do = 请告诉工作人员。
problem-credentials-missing = 这台设备还没有设置好
    .do = 请告诉工作人员。
problem-token-refused = 这个码不能用
    .do = 换一个新的试试。
problem-token-expired = 二维码已过期
    .do = 新码马上就来。
problem-avatar-failed = 这次没能做出你的虚拟形象
    .do = 让光线均匀照在脸上，再试一次。
problem-backend-unreachable = 暂时连接不上虚拟形象制作室
    .do = 请稍等。如果一直这样，请告诉工作人员。
problem-answer-lost = 连接断了一下
    .do = 正在重试。
problem-download-interrupted = 下载暂停了
    .do = 你的虚拟形象不会丢失，网络恢复后会立即下载。
problem-backend-busy = 虚拟形象制作室正忙
    .do = 请稍等片刻。
problem-backend-failing = 虚拟形象制作室出了点问题
    .do = 请稍等。如果一直这样，请告诉工作人员。
problem-gate = 当前网络不让我们连接虚拟形象制作室
    .do = 请告诉工作人员。
problem-no-api = 这台设备还没有设置好
    .do = 请告诉工作人员。
problem-protocol-broken = 收到了无法识别的答复
    .do = 请告诉工作人员。
problem-possibly-consumed = 连接断得不是时候
    .do = 请换一个新码重新开始。
problem-timed-out = 时间到了，虚拟形象还没来
    .do = 换一个新码就能重新开始。
problem-storage-failed = 这台设备暂时无法保存
    .do = 请告诉工作人员。
problem-disk-full = 这台设备没有空间了
    .do = 请告诉工作人员。
problem-token-abandoned = 这个码太旧了
    .do = 新码马上就来。
problem-forget-incomplete = 未能全部删除
    .do = 请告诉工作人员。
problem-interrupted = 下次见！
    .do = 随时可以重新开始。
problem-outside-hours = 现在已经关闭。
    .do = 稍后见！
problem-configuration = 这台设备还没有设置好
    .do = 请告诉工作人员。
problem-window-lost = 屏幕卡住了
    .do = 请重试，或告诉工作人员。
problem-window-refused = 没有成功
    .do = 请再试一次。
